"""Whether two faces run through each other, without rounding."""

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import difference


@njit(cache=True, nogil=True, allocates=False)
def cross(points, f, g):
    """Whether an edge of one of two faces runs through the inside of the other.

    points: (N, 3) int64, less than 2^19 apart, or products overflow. f, g: (3,), rows of points.
    Faces that only touch, or that lie in one plane, do not cross.
    """
    return _runs_through(points, f, g) or _runs_through(points, g, f)


@njit(cache=True, nogil=True, allocates=False)
def _runs_through(points, f, g):
    """Whether an edge of f runs through the inside of g."""
    a, b, c = g[0], g[1], g[2]
    for k in range(3):
        p, q = f[k], f[(k + 1) % 3]
        if p in (a, b, c) or q in (a, b, c):
            continue
        above, below = _volume(points, p, a, b, c), _volume(points, q, a, b, c)
        if not (above > 0 > below or above < 0 < below):
            continue
        r, s, t = (
            _volume(points, p, q, a, b),
            _volume(points, p, q, b, c),
            _volume(points, p, q, c, a),
        )
        if (r > 0 and s > 0 and t > 0) or (r < 0 and s < 0 and t < 0):
            return True
    return False


@njit(cache=True, nogil=True, allocates=False)
def _volume(points, a, b, c, d):
    """Six times the volume of the tetrahedron a b c d. Its sign tells the side of b c d a is on."""
    ux, uy, uz = difference(points, a, b)
    vx, vy, vz = difference(points, a, c)
    wx, wy, wz = difference(points, a, d)
    return ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)
