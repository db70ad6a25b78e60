"""Rounding positions to a 16th of a voxel, so that Draco needs fewer bytes for them.

The lattice has hundreds of steps a voxel (256 where a cell has 256 voxels). A surface is off by a
tenth of a voxel, so most of these steps are noise. Draco stores the difference between a position
and its prediction, and noise cannot be predicted. So positions become multiples of a 16th of a
voxel from the lower corner of their cell.

No vertex moves onto or off a plane that cuts or an end of the volume. Vertices that would share a
place stay where they are, so that no face loses its area.

Everything is x y z, in steps of the lattice from the lower corner of the tile.
"""

from collections.abc import Sequence

import numpy as np

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cutting import first_not_below
from snakemesh.mesh.lattice import nearest_step
from snakemesh.mesh.pieces import Pieces, Planes
from snakemesh.mesh.places import places
from snakemesh.mesh.vertex_states import KEPT
from snakemesh.mesh.volume_ends import VolumeEnds

# Rounded positions in a voxel. 16 saves 19 % of the bytes of LOD 0 of pinky40 and moves vertices by
# 0.03 voxel (rms). 24 saves two thirds of these bytes, and 12 a fifth more.
PER_VOXEL = 16
# Fragments of fewer vertices stay as they are: so small a body would lose a percent of its volume.
LEAST_VERTICES = 100


def grain_of(cell_voxels: Sequence[int]) -> np.ndarray:
    """Steps between rounded positions on each axis, (3,) int64.

    cell_voxels: voxels of the level in a cell. 1 where a cell has so many that all steps count.
    """
    steps = [int(nearest_step(1, PER_VOXEL * n)) for n in cell_voxels]
    return np.maximum(np.array(steps, dtype=np.int64), 1)


def snap(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    boxes: np.ndarray,
    n_cells: Sequence[int],
    planes: Planes,
    ends: VolumeEnds,
    grain: np.ndarray,
) -> None:
    """Round the positions of vertices in place, except for those in planes that cut.

    vertices: (N, 3) int32. faces: (M, 3) int32, ordered by owner, then box. owners: (M,) int32.
    boxes: (M,) int64, the box of each face, as `planes` numbers them. n_cells: cells of the tile.
    grain: (3,) int64, from `grain_of`.
    """
    cells = boxes // 8
    changed = (np.diff(owners, prepend=-1) != 0) | (np.diff(cells, prepend=-1) != 0)
    starts = np.append(np.flatnonzero(changed), len(faces))
    first_cells = np.unravel_index(cells[starts[:-1]], n_cells, order="F")
    corners = np.stack(first_cells, axis=1) * CELL_STEPS
    _snap(vertices, faces, starts, corners, *planes.positions, ends.lower, ends.upper, grain)


def snap_curves(
    pieces: Pieces, states: np.ndarray, planes: Planes, ends: VolumeEnds, grain: np.ndarray
) -> None:
    """Round the positions of KEPT vertices, in place, within the plane that holds them.

    states: (N,) uint8, as `thin_curves` gives them. Vertices in planes of two axes stay, and so do
    vertices of an owner that would share a place. Both sides of a plane have the same curves in it,
    so they round alike.
    """
    owners = _owners_of_kept(pieces.faces, pieces.starts, pieces.owners, states)
    rows = np.flatnonzero(states == KEPT)
    targets = _rounded_all(pieces.vertices[rows], *planes.positions, ends.lower, ends.upper, grain)
    keys = np.column_stack([owners[rows], targets])
    _, found, shared = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    is_alone = shared[found.ravel()] == 1
    pieces.vertices[rows[is_alone]] = targets[is_alone]


@njit(cache=True, nogil=True)
def _owners_of_kept(faces, starts, owners, states):
    """The owner of each vertex that a curve keeps, (N,) int32; 0 of all others."""
    found = np.zeros(len(states), dtype=np.int32)
    for p in range(len(starts) - 1):
        for f in range(starts[p], starts[p + 1]):
            for v in faces[f]:
                if states[v] == KEPT:
                    found[v] = owners[p]
    return found


@njit(cache=True, nogil=True)
def _rounded_all(points, xs, ys, zs, lower, upper, grain):
    """The positions of points (K, 3) int32, rounded, where they lie in planes of one axis alone.

    Vertices in planes of two axes stay: some of those are known to one side of a plane alone.
    """
    targets = points.copy()
    for v in range(len(points)):
        n_axes = 0
        for axis, cuts in enumerate((xs, ys, zs)):
            n_axes += slab(points[v, axis], cuts, lower[axis], upper[axis])[2]
        if n_axes > 1:
            continue
        for axis, cuts in enumerate((xs, ys, zs)):
            at = np.int64(points[v, axis])
            corner = at // CELL_STEPS * CELL_STEPS
            targets[v, axis] = _rounded(at, corner, cuts, lower[axis], upper[axis], grain[axis])
    return targets


@njit(cache=True, nogil=True, allocates=False)
def slab(at, cuts, lower, upper):
    """What a position lies between, of planes that cut and ends of the volume, and whether it lies
    in a plane. cuts: (n,) int64, ascending.
    """
    low = first_not_below(cuts, at)
    above = cuts[low] if low < len(cuts) else upper
    below = cuts[low - 1] if low > 0 else lower
    return max(below, lower), min(above, upper), low < len(cuts) and above == at


@njit(cache=True, nogil=True, allocates=False)
def _rounded(at, corner, cuts, lower, upper, grain):
    """A position on an axis, rounded from the corner of its cell; the same if it may not move."""
    below, above, is_in_plane = slab(at, cuts, lower, upper)
    if is_in_plane or not below < at < above:
        return at
    multiple = (2 * (at - corner) + grain) // (2 * grain)
    # those strictly between the planes
    multiple = max(multiple, (below - corner) // grain + 1)
    multiple = min(multiple, -((corner - above) // grain) - 1)
    result = corner + multiple * grain
    return result if below < result < above else at


@njit(cache=True, nogil=True)
def _snap(vertices, faces, starts, corners, xs, ys, zs, lower, upper, grain):
    """Do what `snap` says. starts: where the faces of fragments begin. corners: of their cells."""
    seen_by = np.full(len(vertices), -1, dtype=np.int32)
    rows = np.empty(len(vertices), dtype=np.int32)
    for g in range(len(starts) - 1):
        n = 0
        for f in range(starts[g], starts[g + 1]):
            for i in range(3):
                v = faces[f, i]
                if seen_by[v] != g:
                    seen_by[v] = g
                    rows[n] = v
                    n += 1
        if n < LEAST_VERTICES:
            continue
        targets = np.empty((n, 3), dtype=np.int32)
        for k in range(n):
            v = rows[k]
            is_in_plane = False
            for axis, cuts in enumerate((xs, ys, zs)):
                is_in_plane |= slab(vertices[v, axis], cuts, lower[axis], upper[axis])[2]
            for axis, cuts in enumerate((xs, ys, zs)):
                at = np.int64(vertices[v, axis])
                if not is_in_plane:
                    at = _rounded(at, corners[g, axis], cuts, lower[axis], upper[axis], grain[axis])
                targets[k, axis] = at - corners[g, axis]
        place = places(targets)
        counts = np.zeros(n + 1, dtype=np.int32)
        for k in range(n):
            counts[place[k]] += 1
        for k in range(n):
            if counts[place[k]] == 1:
                for axis in range(3):
                    vertices[rows[k], axis] = corners[g, axis] + targets[k, axis]
