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

from snakemesh.kernels.compiled import njit
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
    if not ends:
        return []
    places = np.array(ends, dtype=np.int64) * VOXEL_STEPS
    found = _rows_near(vertices, places, VOXEL_STEPS // 2)
    return [(axis, place // VOXEL_STEPS, rows) for axis, place, rows in found]


def at_ends(vertices: np.ndarray, ends: VolumeEnds) -> list[tuple[int, int, np.ndarray]]:
    """For each end of the volume its axis, its place, and the rows of the vertices that lie in it.

    vertices: (N, 3) int32.
    """
    return _rows_near(vertices, np.stack([ends.lower, ends.upper], axis=1), 1)


def _rows_near(
    vertices: np.ndarray, places: np.ndarray, reach: int
) -> list[tuple[int, int, np.ndarray]]:
    """For each place on an axis: the axis, the place, and the rows of vertices that are nearer to
    it than `reach`. Places without such vertices are left out.

    vertices: (N, 3) int32. places: (3, 2) int64, two on each axis.
    """
    near = _near(vertices, places, reach)
    rows = np.flatnonzero(near)
    found = []
    for bit, place in enumerate(places.ravel().tolist()):
        mine = rows[near[rows] & (1 << bit) != 0]
        if len(mine):
            found.append((bit // 2, place, mine))
    return found


@njit(cache=True, nogil=True)
def _near(vertices, places, reach):
    """The places that each vertex is nearer to than `reach`, as bits in their order: (N,) uint8."""
    near = np.zeros(len(vertices), dtype=np.uint8)
    # Nearly all vertices lie between these. Looking at that first takes a third of the time.
    lower, upper = places[:, 0] + reach, places[:, 1] - reach
    x0, y0, z0, x1, y1, z1 = lower[0], lower[1], lower[2], upper[0], upper[1], upper[2]
    for v in range(len(vertices)):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        if (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (z >= z0) & (z <= z1):
            continue
        bits = 0
        for axis in range(3):
            for side in range(2):
                is_near = abs(vertices[v, axis] - places[axis, side]) < reach
                bits |= is_near << (2 * axis + side)
        near[v] = bits
    return near


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
    # axis by axis: numpy is slow where the last axis of an array is short
    for axis in range(3):
        bounds = np.int32(ends.lower[axis]), np.int32(ends.upper[axis])
        np.clip(vertices[:, axis], *bounds, out=vertices[:, axis])


def step_at(position: float, cell: int) -> int:
    """The step of the lattice that is nearest to a position in voxels; a tie goes up.

    A position is a multiple of a power of 1/2, so that no float is rounded here.
    """
    denominator = position.as_integer_ratio()[1]
    return int(nearest_step(int(position * denominator), cell * denominator))
