"""How much surface and how many labels there are in a box of s0. Arrays are z y x."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.boxes import Index, Shape

# Where a box has fewer voxels of a level than this along an axis, the level before says how much
# surface the level has at most.
_FEWEST_VOXELS = 4
# Triangles of the dense surface for each label at a face of a voxel.
_PER_FACE = 2
# Triangles per voxel where all faces of voxels lie between two labels: a voxel has three faces that
# it does not share with the voxels before.
MOST_FACES = 3 * 2 * _PER_FACE


@dataclass(frozen=True)
class BoxFigures:
    """What was counted in a box of s0.

    faces: by LOD, the triangles of dense surfaces per voxel of its level. begin: by LOD, labels per
    voxel of s0 that begin in the box. They touch none of its three lower sides; and they have at
    least the voxels that a voxel of the level covers, or may go on beyond an upper side. cross:
    labels that touch a lower side, per voxel of a side. alike: the probability that two triangles
    are of the same label. filled: the part of the voxels that have a label. place: the first voxel
    of the box, z y x.
    """

    faces: tuple[float, ...]
    begin: tuple[float, ...]
    cross: float
    alike: float
    filled: float
    place: Index = (0, 0, 0)


@dataclass(frozen=True)
class Sample:
    """What was counted in boxes of s0, spread over what is meshed, that hold a label.

    part: the part of the volume in boxes with a label. seen: the part of these boxes that was read.
    """

    boxes: tuple[BoxFigures, ...]
    part: float
    seen: float


def figures_of(labels: np.ndarray, factors: Sequence[Shape]) -> BoxFigures:
    """What there is to count in a box of s0.

    labels: z y x, unsigned, background 0. factors: of the levels over s0, finest first.
    Only one voxel of each cube of a level is looked at: a vote gives less surface.
    """
    found, sizes, n_faces = _labels_of_runs(labels)
    is_lower, is_upper = (np.isin(found, _labels_on_sides(labels, i)) for i in (0, -1))
    shares = n_faces / max(n_faces.sum(), 1)
    return BoxFigures(
        faces=tuple(_face_densities(labels, factors)),
        begin=tuple(
            int(np.count_nonzero(~is_lower & (is_upper | (sizes >= math.prod(factor)))))
            / labels.size
            for factor in factors
        ),
        cross=int(np.count_nonzero(is_lower)) / labels.size ** (2 / 3),
        alike=float((shares**2).sum()) if n_faces.any() else 1.0,
        filled=int(np.count_nonzero(labels)) / labels.size,
    )


def _face_densities(labels: np.ndarray, factors: Sequence[Shape]) -> list[float]:
    """Triangles per voxel of each level, at most MOST_FACES.

    Where a level has too few voxels in the box, the voxels of a level with half the resolution
    have at most twice as many triangles each.
    """
    densities: list[float] = []
    for factor in factors:
        level = labels[tuple(slice(None, None, f) for f in factor)]
        if densities and min(level.shape) < _FEWEST_VOXELS:
            densities.append(min(2 * densities[-1], float(MOST_FACES)))
        else:
            densities.append(sum(_density_across(level, axis) for axis in range(3)))
    return densities


def _density_across(labels: np.ndarray, axis: int) -> float:
    """Triangles per voxel at the faces between voxels that are neighbours on an axis."""
    below, above = _neighbours(labels, axis)
    differ = below != above
    if differ.size == 0:
        return 0.0
    n_sides = np.count_nonzero(differ & (below != 0)) + np.count_nonzero(differ & (above != 0))
    return float(_PER_FACE * n_sides / differ.size)


def _neighbours(labels: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that have an upper neighbour on an axis, and these neighbours."""
    moved: np.ndarray = np.moveaxis(labels, axis, 0)
    return moved[:-1], moved[1:]


def _labels_of_runs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labels without background, ascending; their voxels; their faces between voxels across x.

    A run is a row of voxels of one label along x.
    """
    is_first = np.ones(labels.shape, dtype=bool)
    np.not_equal(*_neighbours(labels, 2), out=np.moveaxis(is_first, 2, 0)[1:])
    begins = np.flatnonzero(is_first)
    ends = np.append(begins[1:], labels.size)
    n_x = labels.shape[2]
    inner_ends = (begins % n_x != 0).astype(np.int64) + (ends % n_x != 0)
    found, rows = np.unique(labels.ravel()[begins], return_inverse=True)
    sizes, n_faces = (np.bincount(rows, of_run) for of_run in (ends - begins, inner_ends))
    is_label = found != 0
    return found[is_label], sizes[is_label], n_faces[is_label]


def _labels_on_sides(labels: np.ndarray, side: int) -> np.ndarray:
    """The labels on the three lower sides of a box (0), or on the upper ones (-1)."""
    sides = [np.take(labels, side, axis).ravel() for axis in range(3)]
    return np.unique(np.concatenate(sides))
