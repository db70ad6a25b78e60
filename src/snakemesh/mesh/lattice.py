"""The lattice that finished vertices lie on: a cell is 65535 steps wide on every axis.

This is the lattice of the output format (`octree.CELL_STEPS`). Surfaces are put on it before they
are cut, so nothing is rounded after a cut. A position on the face between two cells is exactly
65535 in the lower cell and exactly 0 in the upper one.
"""

import numpy as np

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.kernels.compiled import njit


def to_lattice(vertices: np.ndarray, per_cell: np.ndarray) -> np.ndarray:
    """Positions on the lattice, (N, 3) int32, rounded to the nearest step.

    vertices: (N, 3) int32, in any measure that begins where the lattice does. per_cell: (3,), the
    width of a cell in that measure.
    """
    lattice: np.ndarray = _to_lattice(vertices, np.asarray(per_cell, dtype=np.int64))
    return lattice


@njit(cache=True, nogil=True, allocates=False)
def nearest_step(position, per_cell):
    """The step of the lattice that is nearest to a position; of two equally near, the upper one.

    per_cell: width of a cell, in the measure of `position`. The arithmetic is in integers, because
    a multiplication by the reciprocal would not round the same way everywhere.
    """
    return (2 * CELL_STEPS * position + per_cell) // (2 * per_cell)


@njit(cache=True, nogil=True)
def _to_lattice(vertices, per_cell):
    lattice = np.empty_like(vertices)
    for v in range(len(vertices)):
        for i in range(3):
            lattice[v, i] = nearest_step(np.int64(vertices[v, i]), per_cell[i])
    return lattice
