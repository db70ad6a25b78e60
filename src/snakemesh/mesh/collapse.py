"""Which edges of a triangle mesh may collapse, so that it stays the surface that it was.

To collapse u into v, every face of u that does not hold v gets v in place of u (`stars`). The faces
that hold both are gone. The surface stays a manifold if u and v have no common neighbours but those
that face their edge (the link condition: Dey et al. 1999, "Topology preserving edge contraction").
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.stars import NOBODY, SIZE, are_neighbours, block_of, is_among

# A vertex with more faces than this is not collapsed, and no collapse makes one; one that is not
# forced makes none with more than the second number.
MAX_STAR = 64
MOST_FACES = 24
# A face may turn by less than the angle of this cosine, 75 degrees.
_MIN_COSINE = np.float32(0.25)
# Forces. With any, a collapse may turn faces further than that. From CROWDING on, it may give the
# piece beyond a plane the same edge, which then has four faces.
UNFORCED, CROWDING = 0, 2


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def may_collapse(points, planes, stars, u, v, other, force):
    """Whether u may collapse into its neighbour v.

    points: (N, 3) float32. planes: (N,) uint8, the planes that hold each vertex of a curve, and so
    of a border; 0 of all others. other: of an edge with one face, the neighbour of u on the other
    side in the border; NOBODY of all other edges. force: what it may do. The piece itself stays a
    manifold all the same.
    """
    n, n_v = np.uint64(stars.blocks[u, SIZE]), np.uint64(stars.blocks[v, SIZE])
    is_inside = other == NOBODY
    left = n + n_v - np.uint64(4 if is_inside else 2)
    if n_v > MAX_STAR or left > (MOST_FACES if force == UNFORCED else MAX_STAR):
        return False
    if force < CROWDING and planes[v] and _joins_curves(planes, stars, u, v, other):
        return False
    if not _is_alone_with_its_edge(planes, stars, u, v, other):
        return False
    if force == UNFORCED and _turns_a_face(points, stars, u, v):
        return False
    return not (is_inside and n == 3 and _is_tetrahedron(stars, u, v))


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _joins_curves(planes, stars, u, v, other):
    """Whether v, in planes, would get an edge or a face in one of them that it has not.

    The piece beyond the plane may have the same.
    """
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    for j in range(size):
        a, b = pool[begin + j], pool[begin + room + j]
        shared = planes[a] & planes[v]
        if not shared or a == v or b == v:
            continue
        if shared & planes[b] or (a != other and not are_neighbours(stars, v, a)):
            return True
    return False


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _is_alone_with_its_edge(planes, stars, u, v, other):
    """The link condition: u and v have as many common neighbours as their edge has faces."""
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    begin_v, _, room_v = block_of(stars, v)
    # around a vertex that is not in a border, each neighbour is after it in one face
    end_v = begin_v + (np.uint64(2) * room_v if planes[v] else room_v)
    common = 0
    for j in range(size):
        common += is_among(pool, begin_v, end_v, pool[begin + j])
    if other == NOBODY:
        return common == 2
    # in a border, one neighbour is not after u in any face, but before it
    for j in range(size):
        b = pool[begin + room + j]
        if not is_among(pool, begin, begin + room, b):
            common += is_among(pool, begin_v, end_v, b)
    return common == 1


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _turns_a_face(points, stars, u, v):
    """Whether a face would turn too far, or lose its area, with v in place of u."""
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    qx, qy, qz = difference(points, u, v)
    found = False
    for j in range(size):
        a, b = pool[begin + j], pool[begin + room + j]
        ax, ay, az = difference(points, u, a)
        bx, by, bz = difference(points, u, b)
        ox, oy, oz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        # what moving u by q takes away from the normal
        ex, ey, ez = bx - ax, by - ay, bz - az
        nx, ny, nz = ox - (qy * ez - qz * ey), oy - (qz * ex - qx * ez), oz - (qx * ey - qy * ex)
        dot = ox * nx + oy * ny + oz * nz
        lengths = (ox * ox + oy * oy + oz * oz) * (nx * nx + ny * ny + nz * nz)
        turns = (dot <= 0) | (dot * dot <= _MIN_COSINE * _MIN_COSINE * lengths)
        found |= turns & (a != v) & (b != v)
    return found


@njit(cache=True, nogil=True, allocates=False)
def _is_tetrahedron(stars, u, v):
    """Whether the face that would be left of three has the corners of another face of v."""
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    begin_v, size_v, room_v = block_of(stars, v)
    for j in range(size):
        a, b = pool[begin + j], pool[begin + room + j]
        if a != v and b != v:
            for k in range(size_v):
                c, d = pool[begin_v + k], pool[begin_v + room_v + k]
                if (c == b and d == a) or (c == a and d == b):
                    return True
    return False


@njit(cache=True, nogil=True, allocates=False)
def border_neighbours(stars, u):
    """The vertices before and after u in the border of its mesh; NOBODY where there is none.

    An edge of the border has a face more on one side than on the other.
    """
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    one = two = NOBODY
    for j in range(size):
        a, b = pool[begin + j], pool[begin + room + j]
        out, into = 0, 0
        for k in range(size):
            c, d = pool[begin + k], pool[begin + room + k]
            out += np.int64(c == a) - np.int64(d == a)
            into += np.int64(d == b) - np.int64(c == b)
        if out > 0:
            one = a
        if into > 0:
            two = b
    return one, two


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def difference(points, u, v):
    """The way from u to v."""
    return points[v, 0] - points[u, 0], points[v, 1] - points[u, 1], points[v, 2] - points[u, 2]
