"""What a collapse costs: the quadric error of a vertex.

A vertex stands for the dense faces that it has taken over. Its quadric is the sum over them of
their area times the square of the distance to their plane (Garland and Heckbert 1997, "Surface
simplification using quadric error metrics"). It is a polynomial in the position relative to the
vertex, x: x^T A x + 2 b^T x + c.

quadrics: (N, 12) float32, for each vertex A (xx, yy, zz, xy, xz, yz), b, c, the sum of the areas,
and the least error of a collapse when it was last looked at (LEAST). All areas are doubled. points:
(N, 3) float32, in voxels.
"""

import numpy as np

from snakemesh.compiled import njit
from snakemesh.mesh.collapse import difference

LEAST = 11
# Beyond this (doubled) area, the area of the dense faces that a vertex stands for no longer divides
# its error: or else a vertex of a large flat face could take an edge of the body away.
MOST_AREA = np.float32(16)
# What holds a vertex in place when it settles, as a part of what moves it, and how far it may go.
RIDGE = np.float32(0.01)
MAX_MOVE = np.float32(0.5)


@njit(cache=True, nogil=True)
def dense_quadrics(points, corners):
    """The quadrics of a dense mesh. corners: (3 M,) int32, as in `collapse`."""
    quadrics = np.zeros((len(points), 12), dtype=np.float32)
    for f in range(len(corners) // 3):
        a, b, c = corners[3 * f], corners[3 * f + 1], corners[3 * f + 2]
        ux, uy, uz = difference(points, a, b)
        wx, wy, wz = difference(points, a, c)
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        area = np.sqrt(x * x + y * y + z * z)
        if area > 0:
            for v in (a, b, c):
                quadrics[v, 0] += x * x / area
                quadrics[v, 1] += y * y / area
                quadrics[v, 2] += z * z / area
                quadrics[v, 3] += x * y / area
                quadrics[v, 4] += x * z / area
                quadrics[v, 5] += y * z / area
                quadrics[v, 10] += area
    return quadrics


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def collapse_error(quadrics, points, u, v):
    """The error of a collapse of u into v: a mean square distance."""
    area = min(quadrics[u, 10], MOST_AREA)
    return _cost(quadrics, points, u, v) / area if area > 0 else np.float32(0)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _cost(quadrics, points, u, v):
    """The quadric of u at the position of v."""
    x, y, z = difference(points, u, v)
    return quadric_at(quadrics[u], x, y, z)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def quadric_at(quadric, x, y, z):
    """The value of a quadric, (12,), at a position relative to its vertex."""
    cost = (
        x * (quadric[0] * x + quadric[3] * y + quadric[4] * z + 2 * quadric[6])
        + y * (quadric[3] * x + quadric[1] * y + quadric[5] * z + 2 * quadric[7])
        + z * (quadric[4] * x + quadric[5] * y + quadric[2] * z + 2 * quadric[8])
    )
    return max(cost + quadric[9], np.float32(0))


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def bring_along(quadrics, points, u, v):
    """Add the quadric of u to that of v."""
    x, y, z = difference(points, u, v)
    quadrics[v, 9] += _cost(quadrics, points, u, v)
    quadrics[v, 6] += quadrics[u, 6] + quadrics[u, 0] * x + quadrics[u, 3] * y + quadrics[u, 4] * z
    quadrics[v, 7] += quadrics[u, 7] + quadrics[u, 3] * x + quadrics[u, 1] * y + quadrics[u, 5] * z
    quadrics[v, 8] += quadrics[u, 8] + quadrics[u, 4] * x + quadrics[u, 5] * y + quadrics[u, 2] * z
    for i in range(6):
        quadrics[v, i] += quadrics[u, i]
    quadrics[v, 10] += quadrics[u, 10]


@njit(cache=True, nogil=True, allocates=False)
def settle(is_free, first, points, quadrics):
    """Move each vertex that is free to the place that fits the dense faces it stands for best.

    first: less than 0 where a vertex is gone. Returns how far vertices then are from these faces:
    the mean square over the faces' area, 0 if there is none.
    """
    cost, area = 0.0, 0.0
    for v in range(len(points)):
        if first[v] < 0:
            continue
        area += quadrics[v, 10]
        if not is_free[v]:
            cost += quadrics[v, 9]
            continue
        x, y, z = best_move(quadrics[v], -quadrics[v, 6], -quadrics[v, 7], -quadrics[v, 8])
        cost += quadric_at(quadrics[v], x, y, z)
        points[v, 0] += x
        points[v, 1] += y
        points[v, 2] += z
    return cost / area if area > 0 else 0.0


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def best_move(quadric, p, q, r):
    """The move x that makes x^T A x - 2 (p, q, r)^T x least: (0, 0, 0) if nothing holds it.

    quadric: A first (xx, yy, zz, xy, xz, yz). What is flat, or a ridge, hardly moves along itself.
    """
    ridge = RIDGE * (quadric[0] + quadric[1] + quadric[2])
    xx, yy, zz = quadric[0] + ridge, quadric[1] + ridge, quadric[2] + ridge
    xy, xz, yz = quadric[3], quadric[4], quadric[5]
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    e, f, g = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * a + xy * b + xz * c
    if not determinant > 0:
        return np.float32(0), np.float32(0), np.float32(0)
    x = (a * p + b * q + c * r) / determinant
    y = (b * p + e * q + f * r) / determinant
    z = (c * p + f * q + g * r) / determinant
    length = np.sqrt(x * x + y * y + z * z)
    scale = MAX_MOVE / length if length > MAX_MOVE else np.float32(1)
    return x * scale, y * scale, z * scale
