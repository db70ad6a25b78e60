"""Which edges of a triangle mesh may collapse, so that it stays the surface that it was.

To collapse u into v, every face of u that does not hold v gets v in place of u (`stars`). The faces
that hold both are gone. The surface stays a manifold if u and v have no common neighbours but those
that face their edge (the link condition: Dey et al. 1999, "Topology preserving edge contraction").
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.stars import NOBODY, SIZE, are_neighbours, block_of, is_among

# A vertex with more than MAX_STAR faces is not collapsed, and no collapse makes one. A collapse
# without force makes no vertex with more than MOST_FACES.
MAX_STAR = 64
MOST_FACES = 24
# A face may turn by less than the angle of this cosine, 75 degrees.
_MIN_COSINE = np.float32(0.25)
# What a vertex of a curve that must be dropped, but cannot, allows collapses to do, one more with
# each force. FLIPPING: turn faces further, and make vertices with more than MOST_FACES. CROWDING:
# give the pieces on both sides of a plane the same edge, which then has four faces. REACHING: move
# the surface further than with CROWDING. ANYTHING: leave a surface that is closed but no manifold.
UNFORCED, FLIPPING, CROWDING, REACHING, ANYTHING = range(5)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def may_collapse(points, planes, stars, u, v, other, force):
    """Whether u may collapse into its neighbour v: four questions, the cheapest first.

    1. Size: does v get too many faces?
    2. Seam: does v get an edge that the piece beyond a plane may have too?
    3. Topology: does the piece stay the manifold that it is? No force gives this up.
    4. Orientation: does no face turn too far?

    points: (N, 3) float32. planes: (N,) uint8, the planes that hold each vertex of a curve, which
    are the vertices of the border; 0 for all others. stars: of the piece. other: if the edge from u
    to v is in the border, the other neighbour of u in the border, else NOBODY. force: UNFORCED to
    REACHING.
    """
    if not _has_room(stars, u, v, other, force):
        return False
    if force < CROWDING and planes[v] and _joins_curves(planes, stars, u, v, other):
        return False
    if not _keeps_topology(planes, stars, u, v, other):
        return False
    return force != UNFORCED or not _turns_a_face(points, stars, u, v)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _has_room(stars, u, v, other, force):
    """Whether v has few enough faces, before and after it gets those of u."""
    n, n_v = np.uint64(stars.blocks[u, SIZE]), np.uint64(stars.blocks[v, SIZE])
    # u and v each lose the faces of their edge: two, or one in the border
    after = n + n_v - np.uint64(4 if other == NOBODY else 2)
    return n_v <= MAX_STAR and after <= (MOST_FACES if force == UNFORCED else MAX_STAR)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _keeps_topology(planes, stars, u, v, other):
    """Whether the piece stays a manifold with the same topology, and no two faces become one."""
    if not _is_alone_with_its_edge(planes, stars, u, v, other):
        return False
    is_inside = other == NOBODY
    return not (is_inside and stars.blocks[u, SIZE] == 3 and _is_tetrahedron(stars, u, v))


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _joins_curves(planes, stars, u, v, other):
    """Whether v, which lies in planes, would get a new edge or face in one of these planes.

    The piece on the other side of the plane may have the same edge or face.
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
    """The link condition: whether u and v share as many neighbours as their edge has faces."""
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
    # one neighbour in the border comes after u in no face, only before u
    for j in range(size):
        b = pool[begin + room + j]
        if not is_among(pool, begin, begin + room, b):
            common += is_among(pool, begin_v, end_v, b)
    return common == 1


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _turns_a_face(points, stars, u, v):
    """Whether a face of u would turn by 75 degrees or more, or lose its area, with v for u."""
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
    """Whether u, with three faces, is the tip of a tetrahedron: the one face that would be left has
    the same corners as another face of v.
    """
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
    """The vertices after and before u in the border of its mesh; NOBODY where there is none.

    An edge is in the border if it has more faces on one side than on the other.
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
