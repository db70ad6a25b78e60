"""Boxes of voxels, cells and blocks: their types and names. Three parts are always z y x here."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Shape = tuple[int, int, int]
Index = tuple[int, int, int]
# The first corner, and the one after the last.
Box = tuple[Shape, Shape]
Slices = tuple[slice, slice, slice]
# A size or a position.
Nanometres = tuple[float, float, float]


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """Three values, one for each axis. Raises ValueError for any other number of them."""
    z, y, x = values
    return z, y, x


def ceil_div(a: Iterable[int], b: Iterable[int]) -> Shape:
    """Per axis, a / b rounded up."""
    return triple(-(-n // d) for n, d in zip(a, b, strict=True))


def indices(grid: Shape) -> Iterator[Index]:
    """Every index of a grid, x fastest."""
    return itertools.product(range(grid[0]), range(grid[1]), range(grid[2]))


def slices(begin: Iterable[int], end: Iterable[int]) -> Slices:
    """A box as an array is indexed with it."""
    return triple(slice(int(b), int(e)) for b, e in zip(begin, end, strict=True))


def box_name(index: Index) -> str:
    """How files and jobs are named after the index of their box: "z_y_x"."""
    return "_".join(map(str, index))


def box_index(name: str) -> Index:
    """The index that a box is named after."""
    return triple(map(int, name.split("_")))
