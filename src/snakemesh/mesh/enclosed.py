"""Volume and first moments of what surfaces enclose in a tile, though they are open at its seams.

The lower corner of the tile, O, and each face span a tetrahedron. On a closed surface, the signed
volumes of these tetrahedra add up to the volume that the surface encloses. Where a seam has cut a
surface open, a cap in the plane of the seam would close it. The cap need not be built: its
tetrahedra follow from its border, which the faces of the surface have.

A cap in a lower seam counts nothing, because O lies in its plane. In an upper seam:

- P is the corner of the plane above O on the axis of the seam. Each edge of a face in the plane
  spans a triangle with P. Two faces that share an edge give triangles that cancel.
- Where the border of the cap ends, at v and w on an edge of the tile between two upper seams, a
  triangle with P and Q is added for each end. Q is the end of this edge of the tile.
- At the last corner of the tile, where three upper seams meet, the label is present or absent. The
  volume of the whole tile makes that difference, so an estimate of the volume tells which.

The plane of an upper seam, with the cap of a label between v and w:

    j ^
      +---------------------------+        triangles of P with the edges from w to v, added up:
      |                        _- v          the area P w .. v, left of the cap, with one sign
      |                   _ -     |
      |              a -    cap   |        triangles P Q v and P Q w:
      |               |           |          the area P w v, with the other sign
      |                b -        |
      |                    - _    |        both together: the cap
      |                        -_ w
      |                           |
      P---------------------------Q -> i, whose upper end is a seam too

Everything is x y z. Volumes and lengths are in the measure of `step`.
"""

import numpy as np

from snakemesh.kernels.compiled import njit


def enclosed_moments(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    step: np.ndarray,
    upper: np.ndarray,
    is_seam: np.ndarray,
    near: np.ndarray,
) -> np.ndarray:
    """Volume and first moments (x y z) that each of O owners encloses in the tile, (O, 4) float64.

    vertices: (N, 3) int32, from the lower corner of the tile. faces: (M, 3) int32, whose open edges
    all lie in planes of seams. owners: (M,) int32, rows of `near`. step: (3,) float64, length of a
    step of `vertices`. upper: (3,) int32, upper end of the tile. is_seam: (3,) bool, whether this
    end is a seam. near: (O,) float64, an estimate of the volume of each owner, to within half the
    volume of the tile.
    """
    total = np.zeros((len(near), 4))
    _add_enclosed(total, vertices, faces, owners, step, upper, np.ascontiguousarray(is_seam))
    if is_seam.all():
        end = upper * step
        tile = np.prod(end) * np.append(1.0, end / 2)
        total += np.rint((near - total[:, 0]) / tile[0])[:, None] * tile
    return total


@njit(cache=True, nogil=True, allocates=False)
def _add_enclosed(total, vertices, faces, owners, step, upper, is_seam):
    """Add the tetrahedra of all faces and caps to the `total` (O, 4) of their owners."""
    for f in range(len(faces)):
        row = total[owners[f]]
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        _add_tetrahedron(row, _at(a, step), _at(b, step), _at(c, step), 1.0)
        for axis in range(3):
            if is_seam[axis]:
                top = upper[axis]
                # an edge between two seams counts to the first of them
                if a[axis] == top and b[axis] == top and not _before(a, b, upper, is_seam, axis):
                    _add_cap(row, a, b, step, upper, is_seam, axis)
                if b[axis] == top and c[axis] == top and not _before(b, c, upper, is_seam, axis):
                    _add_cap(row, b, c, step, upper, is_seam, axis)
                if c[axis] == top and a[axis] == top and not _before(c, a, upper, is_seam, axis):
                    _add_cap(row, c, a, step, upper, is_seam, axis)


@njit(cache=True, nogil=True, allocates=False)
def _before(a, b, upper, is_seam, axis):
    """Whether the edge also lies in the upper seam of an earlier axis."""
    found = False
    for i in range(axis):
        found |= is_seam[i] and a[i] == upper[i] and b[i] == upper[i]
    return found


@njit(cache=True, nogil=True, allocates=False)
def _add_cap(row, a, b, step, upper, is_seam, axis):
    """Add the part of the edge from a to b of a face in the cap in the upper seam of an axis.

    The cap is the neighbour of the face at this edge, so it has the edge from b to a.
    """
    _add_tetrahedron(row, _corner(upper, step, axis, axis), _at(b, step), _at(a, step), 1.0)
    _add_end(row, a, step, upper, is_seam, axis, -1.0)
    _add_end(row, b, step, upper, is_seam, axis, 1.0)


@njit(cache=True, nogil=True, allocates=False)
def _add_end(row, v, step, upper, is_seam, axis, sign):
    """Add the triangle of P, Q and an end v of an edge of a cap, if v is on an edge of the tile.

    sign: 1 if the edge of a face ends at v, -1 if it begins there.

    At the last corner, where three seams meet, the edges of the caps in x, y and z that end there
    add up to 0. So edges in y are left out, and those in x and z go on through plane y.
    """
    p = _corner(upper, step, axis, axis)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    in_i, in_j = is_seam[i] and v[i] == upper[i], is_seam[j] and v[j] == upper[j]
    if in_i and in_j:
        if axis != 1:
            q = _corner(upper, step, axis, 1)
            _add_tetrahedron(row, p, q, _at(v, step), sign)
            _add_tetrahedron(row, _corner(upper, step, 1, 1), q, _at(v, step), -sign)
    elif in_i or in_j:
        q = _corner(upper, step, axis, i if in_i else j)
        _add_tetrahedron(row, p, q, _at(v, step), sign)


@njit(cache=True, nogil=True, allocates=False)
def _add_tetrahedron(row, a, b, c, sign):
    """Add the volume and the moments of the tetrahedron of the origin and a, b, c to `row`."""
    volume = a[0] * (b[1] * c[2] - b[2] * c[1])
    volume += a[1] * (b[2] * c[0] - b[0] * c[2])
    volume += a[2] * (b[0] * c[1] - b[1] * c[0])
    volume *= sign / 6.0
    row[0] += volume
    for i in range(3):
        row[1 + i] += volume * (a[i] + b[i] + c[i]) / 4.0


@njit(cache=True, nogil=True, allocates=False)
def _corner(upper, step, i, j):
    """The corner of the tile that lies at its upper end on the axes i and j, else at its lower."""
    return (
        upper[0] * step[0] if i == 0 or j == 0 else 0.0,
        upper[1] * step[1] if i == 1 or j == 1 else 0.0,
        upper[2] * step[2] if i == 2 or j == 2 else 0.0,
    )


@njit(cache=True, nogil=True, allocates=False)
def _at(v, step):
    """The position of a vertex (3,) in the measure of `step`."""
    return v[0] * step[0], v[1] * step[1], v[2] * step[2]
