"""Fewer faces: meshoptimizer's quadric simplification, label by label.

Seams stay as exact as the cut made them, for two reasons: open borders, which are where a tile was
cut, are locked; and vertices are dropped but never moved.
"""

import meshoptimizer
import numpy as np
from numba import njit

from snakemesh.mesh.submeshes import local_meshes

# A surface is not simplified below this many faces: there is nothing left to gain.
MIN_PIECE_FACES = 16
_OPTIONS = meshoptimizer.SIMPLIFY_LOCK_BORDER | meshoptimizer.SIMPLIFY_ERROR_ABSOLUTE


def simplify(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    step: np.ndarray,
    keep: float,
    max_error: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Simplify the surface of every owner. What was closed stays closed.

    vertices: (N, 3) int32. faces: (M, 3) int32. owners: (M,) int32, ascending. step: (3,) length of
    a step of `vertices` on each axis, in any measure. keep: fraction of the faces to keep, 0 to 1.
    max_error: how far the surface may move, in the measure of `step`; more faces than wanted are
    kept where it would move further.

    Returns faces (K, 3) int32, rows of `vertices`, and their owners (K,) int32, ascending.
    """
    starts = np.flatnonzero(np.diff(owners, prepend=-1, append=-1))
    local, rows, row_starts = local_meshes(len(vertices), faces, starts)
    positions = vertices[rows].astype(np.float32) * step.astype(np.float32)
    kept_faces, kept_owners = [], []
    for i, (begin, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        mine = rows[row_starts[i] : row_starts[i + 1]]
        kept = _simplified(
            local[begin:end].ravel(),
            positions[row_starts[i] : row_starts[i + 1]],
            max(int(keep * (end - begin)), MIN_PIECE_FACES),
            max_error,
        )
        kept = without_opposites(mine[kept])
        kept_faces.append(kept)
        kept_owners.append(np.full(len(kept), owners[begin], dtype=np.int32))
    if not kept_faces:
        return faces[:0], owners[:0]
    return np.concatenate(kept_faces), np.concatenate(kept_owners)


def _simplified(
    indices: np.ndarray, positions: np.ndarray, n_faces: int, max_error: float
) -> np.ndarray:
    """Simplify one surface to `n_faces` faces, if that moves it by at most `max_error`.

    indices: (3 M,) uint32, rows of `positions`, three for each face. positions: (N, 3) float32.
    Returns faces (K, 3) uint32, rows of `positions`.
    """
    if 3 * n_faces >= len(indices):
        return indices.reshape(-1, 3)
    kept = np.empty_like(indices)
    n = meshoptimizer.simplify(
        kept,
        indices,
        positions,
        target_index_count=3 * n_faces,
        target_error=max_error,
        options=_OPTIONS,
    )
    return kept[:n].reshape(-1, 3)


@njit(cache=True, nogil=True)
def without_opposites(faces):
    """Drop faces with a repeated corner, and pairs of opposite faces on the same three vertices.

    Such a pair encloses nothing, and with it an edge would have four faces. faces: (M, 3) int32.
    Returns the faces that are left, in their order.
    """
    # A hash table with open addressing, from three vertices to a face. The factors are those of
    # Teschner et al. 2003, "Optimized spatial hashing for collision detection of deformable
    # objects".
    n = len(faces)
    dropped = np.zeros(n, dtype=np.bool_)
    size = 16
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, dtype=np.int32)
    for f in range(n):
        a, b, c = faces[f]
        if a in (b, c) or b == c:
            dropped[f] = True
            continue
        low, high = min(a, b, c), max(a, b, c)
        middle = a + b + c - low - high
        slot = (low * 73856093 ^ middle * 19349663 ^ high * 83492791) & (size - 1)
        while table[slot] >= 0:
            g = table[slot]
            if not dropped[g] and _opposite(faces[g], a, b, c):
                dropped[f] = dropped[g] = True
                break
            slot = (slot + 1) & (size - 1)
        if not dropped[f]:
            table[slot] = f
    return faces[~dropped]


@njit(cache=True, nogil=True)
def _opposite(face, a, b, c):
    """Whether a face is the triangle a b c with the opposite winding."""
    d, e, g = face
    return (
        (d == a and e == c and g == b)
        or (d == c and e == b and g == a)
        or (d == b and e == a and g == c)
    )
