"""The error of a collapse: the quadric of a vertex.

A vertex stands for the dense faces that it has taken over. Its quadric is the sum over them of
their area times the square of the distance to their plane (Garland and Heckbert 1997, "Surface
simplification using quadric error metrics"). It is a polynomial in the position relative to the
vertex, x: x^T A x + 2 b^T x + c.

quadrics: (N, 11) float32, for each vertex A (xx, yy, zz, xy, xz, yz), b, c, and the sum of the
areas. All areas are doubled. points: (N, 3) float32, in voxels.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import difference
from snakemesh.mesh.stars import NOBODY, SIZE, block_of

_TWO = np.float32(2)  # numba makes a float64 of float32 times 2
# The error of a vertex is divided by the doubled area of its dense faces, at most MOST_AREA square
# voxels. Without this limit, a vertex of a large flat face could take an edge of the body away.
MOST_AREA = np.float32(16)
# When a vertex settles: the fraction of the trace of A that is added to its diagonal, which holds
# the vertex in place, and the largest move, in voxels.
RIDGE = np.float32(0.01)
MAX_MOVE = np.float32(0.5)


@njit(cache=True, nogil=True)
def dense_quadrics(points, stars):
    """The quadrics of the vertices of a dense mesh."""
    quadrics = np.zeros((len(points), 11), dtype=np.float32)
    for u in range(len(points)):
        _add_faces(quadrics[u], points, stars, np.uint32(u))
    return quadrics


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _add_faces(quadric, points, stars, u):
    """Add the faces of u to its quadric, (11,), which is zero."""
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    xx = yy = zz = xy = xz = yz = areas = np.float32(0)
    for j in range(size):
        ax, ay, az = difference(points, u, pool[begin + j])
        bx, by, bz = difference(points, u, pool[begin + room + j])
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        area = np.sqrt(x * x + y * y + z * z)
        if area > 0:
            inverse = np.float32(1) / area
            nx, ny, nz = x * inverse, y * inverse, z * inverse
            xx, yy, zz = xx + x * nx, yy + y * ny, zz + z * nz
            xy, xz, yz = xy + x * ny, xz + x * nz, yz + y * nz
            areas += area
    quadric[0], quadric[1], quadric[2], quadric[3], quadric[4] = xx, yy, zz, xy, xz
    quadric[5], quadric[10] = yz, areas


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def collapse_error(quadrics, points, u, v):
    """The error of a collapse of u into v: a mean square distance."""
    return _cost(quadrics, points, u, v) * _scale(quadrics, u)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _scale(quadrics, u):
    """The factor that turns a value of the quadric of u into an error: 1 over the limited area."""
    area = min(quadrics[u, 10], MOST_AREA)
    return np.float32(1) / area if area > 0 else np.float32(0)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _cost(quadrics, points, u, v):
    """The quadric of u at the position of v."""
    x, y, z = difference(points, u, v)
    return quadric_at(quadrics[u], x, y, z)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def quadric_at(quadric, x, y, z):
    """The value of a quadric, (11,), at a position relative to its vertex."""
    cost = (
        x * (quadric[0] * x + _TWO * (quadric[3] * y + quadric[4] * z + quadric[6]))
        + y * (quadric[1] * y + _TWO * (quadric[5] * z + quadric[7]))
        + z * (quadric[2] * z + _TWO * quadric[8])
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


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def best_neighbour(quadrics, points, stars, u, above):
    """The neighbour into which u collapses with the least error above `above`, and this error.

    NOBODY and infinity if there is none.
    """
    begin, size, _ = block_of(stars, u)
    best, least, scale = NOBODY, np.float32(np.inf), _scale(quadrics, u)
    for j in range(size):
        v = stars.pool[begin + j]
        error = _cost(quadrics, points, u, v) * scale
        if above < error < least:
            best, least = v, error
    return best, least


@njit(cache=True, nogil=True, allocates=False)
def settle(is_free, stars, points, quadrics):
    """Move each free vertex to the place that fits best the dense faces that it stands for.

    Returns the mean square distance of the vertices from the planes of these faces, weighted by
    area, in square voxels; 0 if there are no faces.
    """
    cost, area = 0.0, 0.0
    for v in range(len(points)):
        if stars.blocks[v, SIZE] == 0:
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
    """The move x for which x^T A x - 2 (p, q, r)^T x is least: (0, 0, 0) if A is 0.

    quadric: A first (xx, yy, zz, xy, xz, yz). On a flat place or a ridge, a vertex hardly moves
    along it. No move is longer than MAX_MOVE.
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
