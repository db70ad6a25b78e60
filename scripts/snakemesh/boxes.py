"""Boxes of voxels, cells and blocks: their types and names. Three parts are always z y x here."""

import itertools
from collections.abc import Iterator, Sequence

Shape = tuple[int, int, int]
Index = tuple[int, int, int]
# The first corner, and the one after the last.
Box = tuple[Shape, Shape]
Slices = tuple[slice, slice, slice]
# A size or a position.
Nanometres = tuple[float, float, float]


def ceil_div(a: Sequence[int], b: Sequence[int]) -> Shape:
    """Per axis, a / b rounded up."""
    z, y, x = (-(-n // d) for n, d in zip(a, b, strict=True))
    return z, y, x


def indices(grid: Shape) -> Iterator[Index]:
    """Every index of a grid, x fastest."""
    return itertools.product(*map(range, grid))


def slices(begin: Sequence[int], end: Sequence[int]) -> Slices:
    """A box as an array is indexed with it."""
    z, y, x = (slice(int(b), int(e)) for b, e in zip(begin, end, strict=True))
    return z, y, x


def box_name(index: Index) -> str:
    """How files and jobs are named after the index of their box: "z_y_x"."""
    return "_".join(map(str, index))


def box_index(name: str) -> Index:
    """The index that a box is named after."""
    z, y, x = map(int, name.split("_"))
    return z, y, x
