"""How much surface and how many labels to expect in a part of the volume, from a sample of it.

Memory needs upper estimates. The mean of a part that is a fraction p of the volume is at most the
mean of the densest fraction p of all boxes. A sample misses the densest of small parts, so at least
the densest quarter of its boxes is taken. Time and disk need means over the volume:
`mean_dense_faces` and `mean_faces`.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from snakemesh.boxes import Index, triple
from snakemesh.plan.box_figures import MOST_FACES, BoxFigures, Sample
from snakemesh.plan.jobs import kept_faces
from snakemesh.plan.plan import VOXELS_PER_LABEL, Plan

# At least this part of the boxes, the densest ones, is averaged, however small a part of the
# volume is.
_DENSEST = 1 / 4
# Standard errors of a mean that are added to it where not all boxes are read.
_ERRORS = 1.5
# Triangles per voxel of s0 where no box with a label was read.
_LEAST_FACES = 0.02
# Where there is no sample, volumes are taken for tissue: the densest boxes of pinky40 have less.
_TISSUE_FACES, _TISSUE_CROSS, _TISSUE_ALIKE = 1.2, 0.012, 0.1
# Triangles per voxel of s0 on average in tissue: 0.52 to 0.67 in pinky40 and the example
_MEAN_TISSUE_FACES = 0.65
# The surface and the bytes of a sparse volume, at most, as a part of those of dense tissue.
SPARSE_PART = 0.15
# Faces of simplified meshes of LOD 0 and of coarser LODs, times what is to be kept: simplification
# ends at `max_error`, and curves in planes keep vertices.
_FINEST_KEEPS, _COARSER_KEEP = 1.1, 1.6
# Faces that a fragment of a small body has, however few are to be kept
_FACES_PER_FRAGMENT = 27


@dataclass(frozen=True)
class Expected:
    """Means per voxel of s0.

    fragments: number of an LOD's fragments. faces: number of their triangles.
    """

    fragments: float
    faces: float


def dense_faces(plan: Plan, lod: int, voxels: float) -> float:
    """Triangles of the dense surfaces of an LOD's level, per voxel of the level: an upper estimate.

    voxels: the size of the part of the volume, in voxels of s0.
    """
    if plan.sample is None:
        return min(_TISSUE_FACES * _voxel_side(plan, lod), MOST_FACES)
    return max(_estimate(plan, voxels, lambda box: box.faces[lod]), _LEAST_FACES)


def mean_dense_faces(plan: Plan, lod: int) -> float:
    """Triangles of the dense surfaces of an LOD's level, per voxel of the level, on average."""
    if plan.sample is None:
        part = SPARSE_PART if plan.is_sparse else 1.0
        return part * min(_MEAN_TISSUE_FACES * _voxel_side(plan, lod), MOST_FACES)
    boxes = plan.sample.boxes
    return plan.sample.part * sum(box.faces[lod] for box in boxes) / max(len(boxes), 1)


def surfaces_of_blocks(plan: Plan) -> dict[tuple[int, Index], float]:
    """By LOD and block, how much surface it has for its size, over the mean of the volume.

    Only blocks in which a box of the sample begins.
    """
    boxes = () if plan.sample is None else plan.sample.boxes
    found = defaultdict(list)
    for lod in range(plan.num_lods):
        sizes = plan.block_cells[lod], plan.cell_voxels[lod], plan.levels[lod].factor
        sides = [math.prod(of_axis) for of_axis in zip(*sizes, strict=True)]
        for box in boxes:
            index = triple(p // side for p, side in zip(box.place, sides, strict=True))
            found[lod, index].append(box.faces[0])
    mean = sum(box.faces[0] for box in boxes) / max(len(boxes), 1)
    return {block: sum(own) / len(own) / mean for block, own in found.items()} if mean else {}


def mean_faces(plan: Plan, lod: int) -> float:
    """Triangles of the fragments of an LOD per voxel of s0, on average."""
    return _kept(plan, lod, lambda finer: mean_dense_faces(plan, finer))


def _voxel_side(plan: Plan, lod: int) -> float:
    """Side of a voxel of a level in voxels of s0, on average over the axes."""
    return float(math.prod(plan.levels[lod].factor) ** (1 / 3))


def filled(plan: Plan, voxels: float) -> float:
    """The part of the voxels that have a label. voxels: as in `dense_faces`."""
    return 1.0 if plan.sample is None else _estimate(plan, voxels, lambda box: box.filled)


def alike(plan: Plan) -> float:
    """The probability that two triangles near each other are of the same label."""
    if plan.sample is None:
        return _TISSUE_ALIKE
    boxes = plan.sample.boxes
    faces = sum(box.faces[0] for box in boxes)
    return sum(box.alike * box.faces[0] for box in boxes) / faces if faces else 1.0


def number_of_labels(plan: Plan) -> int:
    """Labels of the whole volume."""
    if plan.sample is None:
        return math.ceil(plan.voxels / VOXELS_PER_LABEL)
    return math.ceil(_estimate(plan, plan.voxels, lambda box: box.begin[0]) * plan.voxels) + 1


def expected(plan: Plan, lod: int, voxels: float) -> Expected:
    """Fragments of an LOD and their triangles: an upper estimate.

    voxels: the size of the part of the volume, in voxels of s0.
    """
    fragments = _fragments(plan, lod, voxels)
    # if no body were too small to be simplified further, and what small bodies have besides
    faces = _kept(plan, lod, lambda finer: dense_faces(plan, finer, voxels))
    faces += _FACES_PER_FRAGMENT * fragments
    if plan.is_of_fragments(lod):
        most = expected(plan, lod - 1, voxels).faces
    else:
        most = dense_faces(plan, lod, voxels) / math.prod(plan.levels[lod].factor)
    return Expected(fragments, min(faces, most))


def _kept(plan: Plan, lod: int, dense: Callable[[int], float]) -> float:
    """Triangles of an LOD per voxel of s0 that simplification leaves.

    dense: triangles of the dense surfaces of an LOD's level, per voxel of the level.
    """
    if plan.is_of_fragments(lod):
        finer, more = _kept(plan, lod - 1, dense), _COARSER_KEEP
    else:
        finer = dense(lod) / math.prod(plan.levels[lod].factor)
        more = _COARSER_KEEP if lod else _FINEST_KEEPS
    return min(more * kept_faces(plan, lod), 1.0) * finer


def _fragments(plan: Plan, lod: int, voxels: float) -> float:
    """Fragments of an LOD per voxel of s0: labels that begin in a cell, and labels that cross it.

    A label with less than a voxel of the level has none.
    """
    factor = math.prod(plan.levels[lod].factor)
    if plan.sample is None:
        begin, cross = min(1 / VOXELS_PER_LABEL, 1 / factor), _TISSUE_CROSS
    else:
        begin = _estimate(plan, voxels, lambda box: box.begin[lod])
        cross = _estimate(plan, voxels, lambda box: box.cross)
    side = float(math.prod(cell_of_s0(plan, lod)) ** (1 / 3))
    return begin + cross / side


def cell_of_s0(plan: Plan, lod: int) -> tuple[int, ...]:
    """The voxels of s0 in a cell of an LOD, on each axis, as far as there are any."""
    sides = zip(plan.cell_voxels[lod], plan.levels[lod].factor, plan.levels[0].shape, strict=True)
    return tuple(min(c * f, n) for c, f, n in sides)


def _estimate(plan: Plan, voxels: float, figure: Callable[[BoxFigures], float]) -> float:
    """The mean of a figure in any part of the volume with so many voxels of s0, at most."""
    sample = plan.sample
    if sample is None or not sample.boxes:
        return 0.0
    found = sorted(map(figure, sample.boxes), reverse=True)
    densest, _ = _mean_and_error(found, _DENSEST, sample)
    # the part of the boxes with labels
    part = voxels / plan.voxels / sample.part
    if part <= _DENSEST:
        return densest
    mean, error = _mean_and_error(found, min(part, 1.0), sample)
    return min(mean + _ERRORS * error, densest) / max(part, 1.0)


def _mean_and_error(found: list[float], part: float, sample: Sample) -> tuple[float, float]:
    """The mean of the largest numbers, a part of all, and the standard error of the mean."""
    largest = found[: math.ceil(part * len(found))]
    mean = sum(largest) / len(largest)
    variance = sum((value - mean) ** 2 for value in found) / len(found)
    return mean, math.sqrt(variance / len(found) * (1 - sample.seen))
