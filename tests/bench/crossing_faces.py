"""Faces of a mesh that run through each other, found without rounding.

Vertices are integers, so the sign of every volume is exact as long as triangles whose boxes meet
are not more than 2^20 steps long.
"""

import numpy as np
from numba import njit


def crossing_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Which faces (m,) bool run through another face of the same mesh.

    vertices: (n, 3) int64. faces: (m, 3), rows of vertices. Two faces cross where an edge of one
    runs through the inside of the other. Faces that only touch, or that lie in one plane, do not.
    """
    corners = vertices[faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    # columns along z, about as wide as faces are
    width = np.maximum((high - low)[:, :2].mean(axis=0).astype(np.int64) * 2, 1)
    first, last = low[:, :2] // width, high[:, :2] // width
    first, last = first - first.min(axis=0, initial=0), last - first.min(axis=0, initial=0)
    rows, columns = _columns(first, last)
    order = np.lexsort((low[rows, 2], columns))
    return _crossing(vertices, faces, low, high, first, rows[order], columns[order])


def _columns(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each face with each column that its box meets: rows of faces, numbers of columns."""
    rows, columns = [], []
    span = last - first + 1
    n_y = int(last[:, 1].max(initial=0)) + 1
    for x in range(int(span[:, 0].max(initial=0))):
        for y in range(int(span[:, 1].max(initial=0))):
            found = np.flatnonzero((span[:, 0] > x) & (span[:, 1] > y))
            rows.append(found)
            columns.append((first[found, 0] + x) * n_y + first[found, 1] + y)
    return np.concatenate([[], *rows]).astype(int), np.concatenate([[], *columns]).astype(int)


@njit(cache=True)
def _crossing(vertices, faces, low, high, first, rows, columns):
    found = np.zeros(len(faces), np.bool_)
    for i in range(len(rows)):
        a = rows[i]
        for j in range(i + 1, len(rows)):
            b = rows[j]
            if columns[j] != columns[i] or low[b, 2] > high[a, 2]:
                break
            if low[b, 0] > high[a, 0] or low[a, 0] > high[b, 0]:
                continue
            if low[b, 1] > high[a, 1] or low[a, 1] > high[b, 1]:
                continue
            if (not found[a] or not found[b]) and _cross(vertices, faces[a], faces[b]):
                found[a] = found[b] = True
    return found


@njit(cache=True)
def _cross(vertices, f, g):
    return _runs_through(vertices, f, g) or _runs_through(vertices, g, f)


@njit(cache=True)
def _runs_through(vertices, f, g):
    """Whether an edge of f runs through the inside of g."""
    for k in range(3):
        p, q = f[k], f[(k + 1) % 3]
        if p in (g[0], g[1], g[2]) or q in (g[0], g[1], g[2]):
            continue
        above = _side(vertices, p, g[0], g[1], g[2])
        below = _side(vertices, q, g[0], g[1], g[2])
        if above * below >= 0:
            continue
        s = _side(vertices, p, q, g[0], g[1])
        if s == 0:
            continue
        if s == _side(vertices, p, q, g[1], g[2]) and s == _side(vertices, p, q, g[2], g[0]):
            return True
    return False


@njit(cache=True)
def _side(vertices, a, b, c, d):
    """The sign of the volume of the tetrahedron a b c d."""
    x, y, z = vertices[a]
    ux, uy, uz = vertices[b, 0] - x, vertices[b, 1] - y, vertices[b, 2] - z
    vx, vy, vz = vertices[c, 0] - x, vertices[c, 1] - y, vertices[c, 2] - z
    wx, wy, wz = vertices[d, 0] - x, vertices[d, 1] - y, vertices[d, 2] - z
    volume = ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)
    return 1 if volume > 0 else -1 if volume < 0 else 0
