"""The cells whose labels are recorded where a table turns labels into bodies, and their tokens.

A cell is what a chunk of s1 covers, in voxels of s0. A block of LOD 0 is recorded by itself, its
halo included. All triples are z, y, x.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.boxes import Box, Shape, ceil_div, slices, triple
from snakemesh.chunk_files import digest
from snakemesh.plan.plan import Plan


@dataclass(frozen=True)
class Tokens:
    """The tokens (`bodies.met`) of all cells and of all blocks of LOD 0, z y x uint64."""

    cells: np.ndarray
    blocks: np.ndarray

    def of_box(self, plan: Plan, level: int, box: Box) -> str:
        """What stands for the tokens of all cells that a box of a level hangs on."""
        return digest(self.cells[slices(*cells_of(plan, level, box))])


def cell_shape(plan: Plan) -> Shape:
    """Voxels of s0 in a cell. Where nothing is built there are no cells."""
    factor = plan.levels[1].factor if plan.num_lods > 1 else (1, 1, 1)
    return triple(c * f for c, f in zip(plan.chunks, factor, strict=True))


def cell_grid(plan: Plan) -> Shape:
    """The number of cells on each axis."""
    return ceil_div(plan.levels[0].shape, cell_shape(plan))


def cells_of(plan: Plan, level: int, box: Box) -> Box:
    """The cells that the votes of a box of a level come from."""
    found, shape, cell = plan.levels[level], plan.levels[0].shape, cell_shape(plan)
    begin = (b * f // c for b, f, c in zip(box[0], found.factor, cell, strict=True))
    end = (min(e * f, n) for e, f, n in zip(box[1], found.factor, shape, strict=True))
    return triple(begin), ceil_div(end, cell)
