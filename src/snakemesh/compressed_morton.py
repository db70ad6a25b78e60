"""Compressed Morton codes, by which the precomputed format numbers the cells of a grid.

Source: "compressed morton code" in volume.md at
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed
"""

from collections.abc import Sequence

import numpy as np


def code_bits(shape: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """The axis and the bit of a cell that each bit of a code holds, lowest first.

    shape: of the grid, x y z. An axis has as many bits as its last cell needs.
    """
    longest = int(max(shape)).bit_length()
    return [(axis, bit) for bit in range(longest) for axis in range(3) if shape[axis] > 1 << bit]


def cell_numbers(cells: np.ndarray, shape: Sequence[int] | np.ndarray) -> np.ndarray:
    """The codes of cells (n, 3), x y z, in a grid of this shape, uint64 (n,)."""
    numbers = np.zeros(len(cells), np.uint64)
    for place, (axis, bit) in enumerate(code_bits(shape)):
        numbers |= (cells[:, axis] >> bit & 1).astype(np.uint64) << np.uint64(place)
    return numbers
