"""How much surface and how many labels to expect in a part of the volume, from a sample of it.

The estimates are to be no less than what is found in any part of that size. The mean of a part that
is a fraction p of the volume is at most the mean of the densest fraction p of all boxes. A sample
misses the densest of small parts, so at least the densest quarter of its boxes is taken.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from snakemesh.plan.box_figures import MOST_FACES, BoxFigures, Sample
from snakemesh.plan.jobs import kept_faces
from snakemesh.plan.plan import VOXELS_PER_LABEL, Plan

# The densest part of the boxes that counts at least, for a part of the volume of any size.
_DENSEST = 1 / 4
# Standard errors of a mean that are added to it where not all boxes are read.
_ERRORS = 1.5
# Triangles per voxel of s0 where no box with a label was read.
_LEAST_FACES = 0.02
# Where there is no sample, volumes are taken for tissue: the densest boxes of pinky40 have less.
_TISSUE_FACES, _TISSUE_CROSS, _TISSUE_ALIKE = 1.2, 0.012, 0.1
# Faces of simplified meshes of LOD 0 and of coarser LODs, times what is to be kept: simplification
# ends at `max_error`, and curves in planes keep vertices.
_FINEST_KEEPS, _COARSER_KEEP = 1.1, 1.6
# Faces that a fragment of a small body has, however few are to be kept
_FACES_PER_FRAGMENT = 27


@dataclass(frozen=True)
class Expected:
    """What to expect in a voxel of s0 on average.

    fragments, faces: of an LOD's fragments, and their triangles.
    """

    fragments: float
    faces: float


def dense_faces(plan: Plan, lod: int, voxels: float) -> float:
    """Triangles of the dense surfaces of an LOD's level, per voxel of the level.

    voxels: of s0, in the part of the volume that is looked at.
    """
    if plan.sample is None:
        coarser = float(math.prod(plan.levels[lod].factor) ** (1 / 3))
        return min(_TISSUE_FACES * coarser, MOST_FACES)
    return max(_estimate(plan, voxels, lambda box: box.faces[lod]), _LEAST_FACES)


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
    voxels = math.prod(plan.levels[0].shape)
    if plan.sample is None:
        return math.ceil(voxels / VOXELS_PER_LABEL)
    return math.ceil(_estimate(plan, voxels, lambda box: box.begin[0]) * voxels) + 1


def expected(plan: Plan, lod: int, voxels: float) -> Expected:
    """What to expect of an LOD's fragments.

    voxels: of s0, in the part of the volume that is looked at.
    """
    fragments = _fragments(plan, lod, voxels)
    faces = _faces_of_large(plan, lod, voxels) + _FACES_PER_FRAGMENT * fragments
    if plan.is_of_fragments(lod):
        most = expected(plan, lod - 1, voxels).faces
    else:
        most = dense_faces(plan, lod, voxels) / math.prod(plan.levels[lod].factor)
    return Expected(fragments, min(faces, most))


def _faces_of_large(plan: Plan, lod: int, voxels: float) -> float:
    """Triangles of an LOD per voxel of s0 if no body were too small to be simplified further."""
    if plan.is_of_fragments(lod):
        finer, more = _faces_of_large(plan, lod - 1, voxels), _COARSER_KEEP
    else:
        finer = dense_faces(plan, lod, voxels) / math.prod(plan.levels[lod].factor)
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
    """A figure on average in any part of the volume with this many voxels of s0, from above."""
    sample = plan.sample
    if sample is None or not sample.boxes:
        return 0.0
    found = sorted(map(figure, sample.boxes), reverse=True)
    densest, _ = _mean_and_error(found, _DENSEST, sample)
    # of what has labels
    part = voxels / math.prod(plan.levels[0].shape) / sample.part
    if part <= _DENSEST:
        return densest
    mean, error = _mean_and_error(found, min(part, 1.0), sample)
    return min(mean + _ERRORS * error, densest) / max(part, 1.0)


def _mean_and_error(found: list[float], part: float, sample: Sample) -> tuple[float, float]:
    """The mean of the largest part of some numbers, and the error of the mean."""
    largest = found[: math.ceil(part * len(found))]
    mean = sum(largest) / len(largest)
    variance = sum((value - mean) ** 2 for value in found) / len(found)
    return mean, math.sqrt(variance / len(found) * (1 - sample.seen))
