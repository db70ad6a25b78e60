"""Volume and first moments of what surfaces enclose in a tile, though they are open at its seams.

The lower corner of the tile, O, spans a tetrahedron with each face. On a closed surface, their
signed volumes add up to what it encloses. Where a seam has cut a surface open, a cap in the plane
of the seam belongs to it, which need not be built. The planes of the lower seams hold O, so their
caps count nothing. For an upper seam, let P be the corner of its plane above O on that axis:

- Each edge of a face in the plane is joined to P by a triangle. Where two faces share the edge,
  their triangles cancel. The others add up to the cap, but for triangles at the edges of the tile.
- Where the border meets an edge of the tile between two upper seams, the point where it does so
  spans one more triangle, with P and with the end of that edge, Q.
- At the last corner of the tile, between three upper seams, the label is or it is not. The volume
  of the whole tile makes that difference.

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
    """Volume and first moments that each of O owners encloses in the tile, (O, 4) float64.

    vertices: (N, 3) int32, from the lower corner of the tile. faces: (M, 3) int32, whose open edges
    all lie in planes of seams. owners: (M,) int32, rows of `near`. step: (3,) float64, length of a
    step of `vertices`. upper: (3,) int32, upper end of the tile. is_seam: (3,) bool, whether it is
    a seam. near: (O,) float64, about the volume of each owner: it decides whether the owner holds
    the last corner of the tile.
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
    """Add to `total` (O, 4) what all tetrahedra count."""
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
    """Whether an edge lies in the upper seam of an axis before this one, too."""
    found = False
    for i in range(axis):
        found |= is_seam[i] and a[i] == upper[i] and b[i] == upper[i]
    return found


@njit(cache=True, nogil=True, allocates=False)
def _add_cap(row, a, b, step, upper, is_seam, axis):
    """Add what the edge from a to b of a face counts for the cap in the upper seam of an axis."""
    _add_tetrahedron(row, _corner(upper, step, axis, axis), _at(b, step), _at(a, step), 1.0)
    _add_end(row, a, step, upper, is_seam, axis, -1.0)
    _add_end(row, b, step, upper, is_seam, axis, 1.0)


@njit(cache=True, nogil=True, allocates=False)
def _add_end(row, v, step, upper, is_seam, axis, sign):
    """Add what an end of an edge of a cap counts, if it lies on an edge of the tile.

    At the last corner, where three seams meet, the edges of the caps in x, y and z that end there
    add up to 0. So those in y need not be looked at: the other two go on through plane y.
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
    """The corner of the tile that is at its upper end on the axes i and j, else at its lower."""
    return (
        upper[0] * step[0] if i == 0 or j == 0 else 0.0,
        upper[1] * step[1] if i == 1 or j == 1 else 0.0,
        upper[2] * step[2] if i == 2 or j == 2 else 0.0,
    )


@njit(cache=True, nogil=True, allocates=False)
def _at(v, step):
    """Position of a vertex."""
    return v[0] * step[0], v[1] * step[1], v[2] * step[2]
