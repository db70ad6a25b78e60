"""Collapsing edges of a triangle mesh so that it stays the surface that it was.

A mesh is a flat array of corners: `corners[3 f + i]` is the vertex at corner i of face f, or -1 if
the face is gone. `first[v]` is a corner of vertex v, and `link[c]` is the next corner of the same
vertex, -1 after the last. Corners of faces that are gone are taken out when they are met.

To collapse u into v, every face of u that does not hold v gets v in place of u. The faces that hold
both are gone. The surface stays a manifold if u and v have no common neighbours but those that face
their edge (the link condition: Dey et al. 1999, "Topology preserving edge contraction").
"""

import numpy as np

from snakemesh.compiled import njit

# A vertex with more faces than this is not collapsed, and no collapse makes one; one that is not
# forced makes none with more than the second number.
MAX_STAR = 64
MOST_FACES = 24
# A face may turn by less than the angle of this cosine, 75 degrees.
_MIN_COSINE = np.float32(0.25)


@njit(cache=True, nogil=True)
def stars(n_vertices, corners):
    """The lists of corners of all vertices: first (N,) and link (3 M,), int32."""
    first = np.full(n_vertices, -1, dtype=np.int32)
    link = np.empty(len(corners), dtype=np.int32)
    for c in range(len(corners)):
        link[c] = first[corners[c]]
        first[corners[c]] = c
    return first, link


@njit(cache=True, nogil=True, inline="always", allocates=False)
def after(c):
    """The corner after c in its face."""
    return c + 1 if c % 3 < 2 else c - 2


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def star(corners, first, link, u, ring, row):
    """Find the faces of u. Returns how many there are, or MAX_STAR + 1 if there are more.

    ring: (6, MAX_STAR + 1) int32; for each face, its row `row` gets the vertex that follows u, the
    next row the one that precedes u, and the one after that the corner of u.
    """
    n = 0
    before = -1
    c = first[u]
    while c >= 0:
        following = link[c]
        if corners[c] < 0:
            if before < 0:
                first[u] = following
            else:
                link[before] = following
        else:
            if n <= MAX_STAR:
                d = after(c)
                ring[row, n] = corners[d]
                ring[row + 1, n] = corners[after(d)]
                ring[row + 2, n] = c
                n += 1
            before = c
        c = following
    return n


@njit(cache=True, nogil=True, allocates=False)
def border_neighbours(ring, n):
    """The vertices before and after a vertex in the border of its mesh; -1 where there is none.

    ring, n: its star, in the first rows. An edge of the border has a face more on one side than on
    the other.
    """
    one = two = -1
    for j in range(n):
        out, into = 0, 0
        for k in range(n):
            out += np.int64(ring[0, k] == ring[0, j]) - np.int64(ring[1, k] == ring[0, j])
            into += np.int64(ring[1, k] == ring[1, j]) - np.int64(ring[0, k] == ring[1, j])
        if out > 0:
            one = ring[0, j]
        if into > 0:
            two = ring[1, j]
    return one, two


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def may_collapse(points, planes, marks, mark, u, v, ring, n, n_v, other, force):
    """Whether u may collapse into its neighbour v.

    points: (N, 3) float32. planes: (N,) uint8, the planes that hold each vertex of a curve. marks:
    (N,) int32, scratch; mark: a number that it does not hold. ring: the star of u, n faces, in its
    first rows, and that of v, n_v faces, in the next. other: of an edge with one face, the
    neighbour of u on the other side in the border; -1 of all other edges. force: with 1, faces may
    turn, and with 2 the piece beyond a plane may get the same edge; the piece itself stays a
    manifold all the same.
    """
    left = n + n_v - (4 if other < 0 else 2)
    if n_v > MAX_STAR or left > (MOST_FACES if force == 0 else MAX_STAR):
        return False
    for j in range(n_v):
        marks[ring[3, j]] = mark
        marks[ring[4, j]] = mark
    marks[u] = 0
    if force < 2:
        for j in range(n):
            a, b = ring[0, j], ring[1, j]
            if a == v or b == v:
                continue
            # the piece beyond a plane may have the same edge, or the same face
            shared = planes[a] & planes[v]
            if shared and ((marks[a] != mark and a != other) or shared & planes[b]):
                return False
            if force == 0 and _turned(points, u, v, a, b):
                return False
    common = 0
    for j in range(n):
        for i in range(2):
            w = ring[i, j]
            if w != v and marks[w] == mark:
                marks[w] = 0
                common += 1
    if other >= 0:
        return common == 1
    return common == 2 and not (n == 3 and _is_tetrahedron(v, ring, n, n_v))


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _is_tetrahedron(v, ring, n, n_v):
    """Whether the face that would be left of three has the corners of another face of v."""
    for j in range(n):
        a, b = ring[0, j], ring[1, j]
        if a != v and b != v:
            for k in range(n_v):
                c, d = ring[3, k], ring[4, k]
                if (c == b and d == a) or (c == a and d == b):
                    return True
    return False


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _turned(points, u, v, a, b):
    """Whether the face u a b would turn too far, or lose its area, with v in place of u."""
    ex, ey, ez = difference(points, a, b)
    px, py, pz = difference(points, a, u)
    qx, qy, qz = difference(points, a, v)
    ox, oy, oz = ey * pz - ez * py, ez * px - ex * pz, ex * py - ey * px
    nx, ny, nz = ey * qz - ez * qy, ez * qx - ex * qz, ex * qy - ey * qx
    dot = ox * nx + oy * ny + oz * nz
    lengths = (ox * ox + oy * oy + oz * oz) * (nx * nx + ny * ny + nz * nz)
    return dot <= 0 or dot * dot <= _MIN_COSINE * _MIN_COSINE * lengths


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def difference(points, u, v):
    """The way from u to v."""
    return points[v, 0] - points[u, 0], points[v, 1] - points[u, 1], points[v, 2] - points[u, 2]


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def collapse(corners, first, link, u, v, ring, n):
    """Collapse u into v: returns the number of faces that are gone. ring, n: the star of u."""
    gone = 0
    for j in range(n):
        c = ring[2, j]
        if ring[0, j] == v or ring[1, j] == v:
            d = after(c)
            corners[c] = corners[d] = corners[after(d)] = -1
            gone += 1
        else:
            corners[c] = v
            link[c] = first[v]
            first[v] = c
    first[u] = -1
    return gone
