"""The normals of a surface along the curves in which planes cut it.

A face that crosses a plane is seen from both sides of it, by two tiles where the plane is a seam.
So the normals of these faces are what both sides know of the surface, besides the curve.

Everything is x y z, in steps of the lattice.
"""

import numpy as np

from snakemesh.kernels.compiled import njit

# Length of the normal of a face. The sums at a vertex stay below 2^31.
_UNIT = 1024.0


def normals_in_planes(
    vertices: np.ndarray,
    planes: np.ndarray,
    faces: np.ndarray,
    parts: np.ndarray,
    parents: np.ndarray,
) -> np.ndarray:
    """The normal of the surface at each vertex in a plane of one axis, (N, 3) int32.

    vertices: (N, 3) int32. planes: (N,) uint8, the planes that hold each vertex, as bits (two for
    each axis). faces: (M, 3) int32, all that planes cross. parts: (K, 3) int32, what they were cut
    into. parents: (K,), the face that each part was.

    A normal is the sum over the edges of parts at the vertex that lie in its plane: of the normals
    of their faces, times the length of the edge. It has no unit, and is 0 where no face crosses the
    plane, at vertices in planes of several axes, of which a tile does not see all faces, and at
    vertices in no plane. The sum is one of integers, so the order of the faces does not matter.
    """
    normals = np.zeros((len(vertices), 3), dtype=np.int32)
    _add_normals(normals, vertices, planes, faces, parts, parents)
    return normals


@njit(cache=True, nogil=True, allocates=False)
def _add_normals(normals, vertices, planes, faces, parts, parents):
    for f in range(len(parts)):
        _add_normal(normals, vertices, planes, parts[f], faces[parents[f]])


@njit(cache=True, nogil=True, allocates=False)
def _is_in_one(bits):
    """Whether planes, given as bits, are those of one axis."""
    return ((bits & 3) != 0) + ((bits & 12) != 0) + ((bits & 48) != 0) == 1


@njit(cache=True, nogil=True, allocates=False)
def _add_normal(normals, vertices, planes, part, face):
    """Add the normal of a face at the edges of a part of it that lie in planes."""
    a, b, c = planes[part[0]], planes[part[1]], planes[part[2]]
    if not (a & b | b & c | c & a):
        return
    ux, uy, uz = _edge(vertices, face[0], face[1])
    wx, wy, wz = _edge(vertices, face[0], face[2])
    x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    length = np.sqrt(x * x + y * y + z * z)
    if length == 0:
        return
    x, y, z = x / length * _UNIT, y / length * _UNIT, z / length * _UNIT
    for i in range(3):
        u, v = part[i], part[(i + 1) % 3]
        if planes[u] & planes[v]:
            ex, ey, ez = _edge(vertices, u, v)
            weight = np.sqrt(ex * ex + ey * ey + ez * ez)
            for w in (u, v):
                if not _is_in_one(planes[w]):
                    continue
                normals[w, 0] += int(np.floor(x * weight / 16 + 0.5))
                normals[w, 1] += int(np.floor(y * weight / 16 + 0.5))
                normals[w, 2] += int(np.floor(z * weight / 16 + 0.5))


@njit(cache=True, nogil=True, allocates=False)
def _edge(vertices, a, b):
    """The edge from vertex a to vertex b."""
    return (
        float(vertices[b, 0] - vertices[a, 0]),
        float(vertices[b, 1] - vertices[a, 1]),
        float(vertices[b, 2] - vertices[a, 2]),
    )
