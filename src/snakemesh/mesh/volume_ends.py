"""Keeping surfaces inside the volume that is meshed.

Surfaces are closed at the ends of the volume. Smoothed caps stick out by a tenth of a voxel, and
restoring volumes pushes them further. Cutting them off would open them, so vertices that lie
outside are moved onto the end.

A level can have more voxels than the volume fills: 181 voxels of s0 are 23 at a factor of 8, and
the last of these is filled to five eighths. Vertices in such a voxel are moved towards its lower
face, so that what is one voxel thick keeps two sides.

Everything is x y z, in steps of the lattice (`lattice`) from the lower corner of the tile. All
tiles must move a vertex in the same way, so the ends of the volume count wherever they lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.lattice import nearest_step


@dataclass(frozen=True)
class VolumeEnds:
    """Where the volume ends, (3,) int64 each.

    lower, upper: the ends. last: where the last voxel of the level begins. whole: where it would
    end if the volume filled it.
    """

    lower: np.ndarray
    upper: np.ndarray
    last: np.ndarray
    whole: np.ndarray


def volume_ends(ends: Sequence[tuple[float, float]], cell_voxels: Sequence[int]) -> VolumeEnds:
    """The ends of the volume in steps of the lattice.

    ends: for each axis the lower and the upper end in voxels of the level. cell_voxels: voxels of
    the level in a cell.
    """
    rows = []
    for (lower, upper), cell in zip(ends, cell_voxels, strict=True):
        last = ceil(upper) - 1
        rows.append([step_at(at, cell) for at in (lower, upper, last, last + 1)])
    return VolumeEnds(*np.array(rows, dtype=np.int64).T.copy())


def rows_at_ends(
    vertices: np.ndarray, ends: Sequence[tuple[int, int]]
) -> list[tuple[int, int, np.ndarray]]:
    """The vertices of nets that lie between the last voxels of the volume and nothing.

    vertices: (N, 3) int32, before they are smoothed, in 1/4096 voxel. ends: per axis the faces of
    voxels at which the volume ends, from where `vertices` are measured. Returns for each end its
    axis, its place, and the rows of vertices. These are less than half a voxel from it: a vertex of
    a net lies in the cell between the middles of eight voxels.
    """
    half = VOXEL_STEPS // 2
    return [
        (axis, end, np.flatnonzero(np.abs(vertices[:, axis] - end * VOXEL_STEPS) < half))
        for axis, pair in enumerate(ends)
        for end in pair
    ]


def at_ends(vertices: np.ndarray, ends: VolumeEnds) -> list[tuple[int, int, np.ndarray]]:
    """For each end of the volume its axis, its place, and the rows of the vertices that lie in it.

    vertices: (N, 3) int32.
    """
    return [
        (axis, int(end[axis]), np.flatnonzero(vertices[:, axis] == end[axis]))
        for end in (ends.lower, ends.upper)
        for axis in range(3)
    ]


def squeeze_last_voxels(vertices: np.ndarray, ends: VolumeEnds) -> None:
    """Move vertices (N, 3) int32 beyond `last` proportionally nearer to it, in place.

    What lay at `whole` then lies at the end of the volume.
    """
    for axis in range(3):
        last, width = ends.last[axis], ends.whole[axis] - ends.last[axis]
        filled = ends.upper[axis] - last
        if filled < width:
            mine = vertices[:, axis] > last
            beyond = vertices[mine, axis] - last
            vertices[mine, axis] = last + (2 * beyond * filled + width) // (2 * width)


def clamp_to_volume(vertices: np.ndarray, ends: VolumeEnds) -> None:
    """Move vertices (N, 3) int32 that lie outside the volume onto its end, in place."""
    np.clip(vertices, ends.lower, ends.upper, out=vertices, casting="unsafe")


def step_at(position: float, cell: int) -> int:
    """The step of the lattice that is nearest to a position in voxels; a tie goes up.

    A position is a multiple of a power of 1/2, so that no float is rounded here.
    """
    denominator = position.as_integer_ratio()[1]
    return int(nearest_step(int(position * denominator), cell * denominator))
