"""Giving simplified surfaces the volume back that simplification took.

Kept vertices lie on the old surface, so the chords between them cut off what is convex: at a
fifteenth of the faces the median label of pinky40 loses 2 % of its volume. Pushing the free
vertices out along their normals, all by the same small distance, brings it back.
"""

import numpy as np
from numba import njit

# The correction is first order: the second round takes what is left. Distances in `unit`.
ROUNDS = 2
MAX_PUSH = 0.25


def volumes(
    vertices: np.ndarray, faces: np.ndarray, owners: np.ndarray, n_owners: int, unit: np.ndarray
) -> np.ndarray:
    """Signed volume under each owner's faces; of two with one border the difference counts.

    vertices: (N, 3) int32. faces: (M, 3). owners: (M,) int32. unit: (3,) size of one step.
    """
    return _volumes(vertices, faces, owners, n_owners) * np.prod(unit)


@njit(cache=True, nogil=True)
def _volumes(vertices, faces, owners, n_owners):
    total = np.zeros(n_owners, dtype=np.float64)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = float(vertices[a, 0]), float(vertices[a, 1]), float(vertices[a, 2])
        bx, by, bz = float(vertices[b, 0]), float(vertices[b, 1]), float(vertices[b, 2])
        cx, cy, cz = float(vertices[c, 0]), float(vertices[c, 1]), float(vertices[c, 2])
        total[owners[f]] += (
            ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        ) / 6.0
    return total


def restore_volume(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    wanted: np.ndarray,
    unit: np.ndarray,
    fixed: np.ndarray,
) -> None:
    """Move vertices in place until each owner's faces hold the wanted volume again.

    vertices: (N, 3) int32, none shared by two owners. faces: (M, 3). owners: (M,) int32.
    wanted: volume of each owner, as `volumes` gives it. unit: (3,) size of one step of `vertices`,
    in voxels. fixed: (N,) bool, vertices that must stay where they are.
    """
    for _ in range(ROUNDS):
        missing = wanted - volumes(vertices, faces, owners, len(wanted), unit)
        _push(vertices, faces, owners, missing, unit, fixed)


@njit(cache=True, nogil=True)
def _push(vertices, faces, owners, missing, unit, fixed):
    # the gradient of the volume at a vertex is a sixth of the cross products of its faces
    gradient = np.zeros(vertices.shape, dtype=np.float64)
    owner_of = np.full(len(vertices), -1, dtype=np.int32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = _edge(vertices, a, b, unit)
        wx, wy, wz = _edge(vertices, a, c, unit)
        for v in (a, b, c):
            gradient[v, 0] += (uy * wz - uz * wy) / 6.0
            gradient[v, 1] += (uz * wx - ux * wz) / 6.0
            gradient[v, 2] += (ux * wy - uy * wx) / 6.0
            owner_of[v] = owners[f]
    gain = np.zeros(len(missing), dtype=np.float64)
    length = np.zeros(len(vertices), dtype=np.float64)
    for v in range(len(vertices)):
        if owner_of[v] >= 0 and not fixed[v]:
            g = gradient[v]
            length[v] = np.sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2])
            gain[owner_of[v]] += length[v]
    for v in range(len(vertices)):
        if length[v] > 0:
            push = missing[owner_of[v]] / gain[owner_of[v]]
            push = min(max(push, -MAX_PUSH), MAX_PUSH)
            for i in range(3):
                step = push * gradient[v, i] / (length[v] * unit[i])
                vertices[v, i] += int(np.floor(step + 0.5))


@njit(cache=True, nogil=True)
def _edge(vertices, a, b, unit):
    return (
        (vertices[b, 0] - vertices[a, 0]) * unit[0],
        (vertices[b, 1] - vertices[a, 1]) * unit[1],
        (vertices[b, 2] - vertices[a, 2]) * unit[2],
    )
