"""Boxes of voxels, cells and blocks: their types and names. All triples are z, y, x."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Shape = tuple[int, int, int]
Index = tuple[int, int, int]
# `begin`, the first index, and `end`, the index after the last on each axis.
Box = tuple[Shape, Shape]
Slices = tuple[slice, slice, slice]
# A size or a position, in nm.
Nanometres = tuple[float, float, float]


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """A tuple of the three values, one for each axis. Raises ValueError if there are not three."""
    z, y, x = values
    return z, y, x


def ceil_div(a: Iterable[int], b: Iterable[int]) -> Shape:
    """a / b on each axis, rounded up. Raises ValueError if there are not three of each."""
    return triple(-(-n // d) for n, d in zip(a, b, strict=True))


def indices(grid: Shape) -> Iterator[Index]:
    """Every index of a grid of this shape. x changes fastest."""
    return itertools.product(range(grid[0]), range(grid[1]), range(grid[2]))


def slices(begin: Iterable[int], end: Iterable[int]) -> Slices:
    """The slices that index an array with the box from `begin` to `end`."""
    return triple(slice(int(b), int(e)) for b, e in zip(begin, end, strict=True))


def box_name(index: Index) -> str:
    """The name of a box in the names of files and jobs: its index as "z_y_x"."""
    return "_".join(map(str, index))


def box_index(name: str) -> Index:
    """The index of the box with this name. Raises ValueError if it is not of the form "z_y_x"."""
    return triple(map(int, name.split("_")))
