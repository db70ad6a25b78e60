"""How much surface and how many labels a volume has, from a sample of the voxels of s0.

Memory of the jobs that mesh depends on these numbers: a block of dense tissue has a hundred times
the faces of a block with a few organelles. Which boxes are read depends on the shape of what is
meshed alone; how many, on its chunks too, because a chunk is decoded as a whole.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import tensorstore as ts

from snakemesh.boxes import Slices, triple
from snakemesh.label_values import as_labels, one_body
from snakemesh.plan.box_figures import BoxFigures, Sample, figures_of
from snakemesh.plan.plan import Plan
from snakemesh.source.voxels import open_part
from snakemesh.survey.level_sample import box_at, chunk_of, decoded_voxels, spread, stored_parts

# Voxels of a box on each axis. A box of tissue then has labels that begin in it, and a large volume
# is seen in several places for the price of one chunk each.
BOX_EDGE = 64
# Boxes with labels that are read, boxes that are read at all, and voxels that are decoded for them
# at most. Where fewer than _FEWEST boxes can be read, because chunks are very large, none is.
MOST_BOXES, _MOST_READ, _FEWEST = 24, 48, 8
_DECODED_VOXELS = 1 << 27
# Boxes that are looked at for stored chunks.
_LOOKED_AT = 256
# Boxes that are read at a time, of 2 MB with 64-bit labels.
_AT_ONCE = 8

# What is raised for a chunk that is broken or out of reach, and for values that are no labels.
_BROKEN = (ValueError, OSError)


def sample_of(plan: Plan) -> Sample | None:
    """A sample of the part of s0 that a plan meshes; None if its chunks are too large for one.

    None also for the example, which is planned before it is made, and if no box can be read. The
    same volume always gives the same sample. A box that cannot be read or has values that are no
    labels is left out: the job that reads it says so, and all others go on.
    """
    if plan.source.stored is None:
        return None
    store, shape = open_part(plan.levels[0].part), plan.levels[0].shape
    edge = triple(min(BOX_EDGE, n) for n in shape)
    affordable = _DECODED_VOXELS // decoded_voxels(edge, chunk_of(store))
    # whole boxes only: a thin rest at the end of the volume says little
    grid = triple(n // e for n, e in zip(shape, edge, strict=True))
    if affordable < min(_FEWEST, math.prod(grid)):
        return None
    candidates = [box_at(index, edge, shape) for index in spread(grid, _LOOKED_AT)]
    stored = stored_parts(store, candidates)
    boxes = [box for box, there in zip(candidates, stored, strict=True) if there]
    found = list(_read(plan, store, boxes[: min(_MOST_READ, affordable)]))
    if boxes and not found:
        return None
    with_labels = [figures for figures in found if figures is not None]
    part = len(boxes) / len(candidates) * len(with_labels) / max(len(found), 1)
    seen = min(len(with_labels) / part / math.prod(grid), 1.0) if part else 1.0
    return Sample(tuple(with_labels), part, seen)


def _read(
    plan: Plan, store: ts.TensorStore, boxes: Sequence[Slices]
) -> Iterator[BoxFigures | None]:
    """What there is in each box that can be read, until enough of them have labels.

    None for a box without labels.
    """
    n_with_labels = 0
    for first in range(0, len(boxes), _AT_ONCE):
        if n_with_labels >= MOST_BOXES:
            return
        for box, future in [(box, store[box].read()) for box in boxes[first : first + _AT_ONCE]]:
            try:
                figures = _box_figures(plan, future.result(), box)
            except _BROKEN:
                continue
            n_with_labels += figures is not None
            yield figures


def _box_figures(plan: Plan, voxels: np.ndarray, box: Slices) -> BoxFigures | None:
    """What there is to count in a box; None if it has no label."""
    values = plan.levels[0].values
    labels = as_labels(voxels, values, [side.start for side in box])
    if values.is_one_body:
        labels = one_body(labels)
    if not labels.any():
        return None
    found = figures_of(labels, [level.factor for level in plan.levels])
    return replace(found, place=triple(side.start for side in box))
