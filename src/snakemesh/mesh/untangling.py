"""Moving vertices a little, so that a surface does not run through itself.

Where a body is thinner than a voxel of the level, simplification flattens it, and restoring its
volume pushes one side through the other. The faces that cross are next to each other: they share a
vertex, or an edge joins them. So only the surroundings of a vertex are looked at, and no face is
added or taken away.

Everything is x y z, in steps of the lattice.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.kernels.label_hash import look_up
from snakemesh.mesh.collapse import difference
from snakemesh.mesh.crossing import cross
from snakemesh.mesh.pieces import Planes
from snakemesh.mesh.snapping import slab
from snakemesh.mesh.stars import block_of, stars_of
from snakemesh.mesh.submeshes import local_meshes
from snakemesh.mesh.volume_ends import VolumeEnds

# The moves that are tried for a vertex, in 16ths of a voxel: along the axes and the diagonals, near
# before far. With a third distance, an eighth fewer faces would still cross, and moving would take
# 1.3 times as long. With one distance alone, 1.4 times as many faces would still cross.
_WAYS = np.array(
    [
        (distance * x, distance * y, distance * z)
        for distance in (2, 6)
        for x in (-1, 0, 1)
        for y in (-1, 0, 1)
        for z in (-1, 0, 1)
        if x * x + y * y + z * z in (1, 3)
    ]
)
# The largest number of faces around a vertex that are looked at. Few vertices have 100.
_MOST_NEAR = 256


def untangle(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    boxes: np.ndarray,
    planes: Planes,
    ends: VolumeEnds,
    grain: np.ndarray,
) -> None:
    """Move vertices in place, so that fewer faces of a piece cross each other.

    vertices: (N, 3) int32. faces: (M, 3) int32, ordered by owner, then box: those of one owner and
    box are a piece. owners: (M,) int32. boxes: (M,) int64. planes: that cut. ends: of the volume.
    grain: (3,) int64, a 16th of a voxel, from `snapping.grain_of`.

    A vertex moves by less than half a voxel on each axis. Those in planes and in ends stay, and no
    other comes to lie there. A piece is looked at by itself, so it is the same in every tile.
    """
    changed = (np.diff(owners, prepend=-1) != 0) | (np.diff(boxes, prepend=-1) != 0)
    starts = np.append(np.flatnonzero(changed), len(faces))
    local, rows, row_starts = local_meshes(len(vertices), faces, starts)
    cuts = (*planes.positions, ends.lower, ends.upper)
    _untangle(vertices, local, starts, rows, row_starts, _WAYS * grain, *cuts)


@njit(cache=True, nogil=True)
def _untangle(vertices, local, starts, rows, row_starts, ways, xs, ys, zs, lower, upper):
    """Do what `untangle` says. local: (M, 3) uint32, of `local_meshes`. ways: (W, 3) int64."""
    bounds = np.empty((3, 2), dtype=np.int64)
    near = np.empty((_MOST_NEAR, 3), dtype=np.int32)
    spans = np.empty((_MOST_NEAR, 6), dtype=np.int64)
    for p in range(len(starts) - 1):
        mine = local[starts[p] : starts[p + 1]]
        row = rows[row_starts[p] : row_starts[p + 1]]
        points = np.empty((len(row), 3), dtype=np.int64)
        for v in range(len(row)):
            for i in range(3):
                points[v, i] = vertices[row[v], i]
        may_cross = _in_no_view(points, mine)
        if not may_cross.any():
            continue
        stars = stars_of(len(points), mine)
        is_tangled = _tangled(points, stars, may_cross, near, spans)
        taken = _taken(points, is_tangled.sum() * len(ways))
        for v in range(len(row)):
            if is_tangled[v] and _has_room(points[v], xs, ys, zs, lower, upper, bounds):
                n = _star(stars, v, near)
                n_near = _surroundings(stars, v, near, n)
                _move(points, near, spans, n, n_near, v, ways, bounds, *taken)
                for i in range(3):
                    vertices[row[v], i] = points[v, i]


@njit(cache=True, nogil=True)
def _in_no_view(points, faces):
    """Whether the mean normal of a vertex's faces sees one of them from behind: (N,) bool.

    Seen from a side from which all are seen in front, the faces of a vertex do not overlap, so none
    crosses another.
    """
    normals = np.empty((len(faces), 3), dtype=np.float64)
    sums = np.zeros((len(points), 3), dtype=np.float64)
    for f in range(len(normals)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = difference(points, a, b)
        wx, wy, wz = difference(points, a, c)
        x, y, z = float(uy * wz - uz * wy), float(uz * wx - ux * wz), float(ux * wy - uy * wx)
        normals[f, 0], normals[f, 1], normals[f, 2] = x, y, z
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            for v in (a, b, c):
                sums[v, 0] += x / length
                sums[v, 1] += y / length
                sums[v, 2] += z / length
    found = np.zeros(len(points), dtype=np.bool_)
    for f in range(len(faces)):
        x, y, z = normals[f]
        for v in faces[f]:
            found[v] |= x * sums[v, 0] + y * sums[v, 1] + z * sums[v, 2] <= 0
    return found


@njit(cache=True, nogil=True)
def _tangled(points, stars, may_cross, near, spans):
    """The vertices of faces that cross another of the same vertex: (N,) bool."""
    found = np.zeros(len(points), dtype=np.bool_)
    for v in range(len(points)):
        if may_cross[v]:
            n = _star(stars, v, near)
            _measure(points, near, spans, 0, n)
            for j in range(n):
                for k in range(j + 1, n):
                    if _meet(spans[j], spans[k]) and cross(points, near[j], near[k]):
                        for i in range(3):
                            found[near[j, i]] = found[near[k, i]] = True
    return found


@njit(cache=True, nogil=True)
def _taken(points, n_more):
    """The places of points, with room for more: a hash table, their keys, and how many there are.

    The number is an array (1,). Key 0 is none.
    """
    size = 16
    while size < 2 * (len(points) + n_more):
        size *= 2
    table = np.zeros(size, dtype=np.uint32)
    keys = np.zeros(len(points) + n_more + 1, dtype=np.uint64)
    count = np.ones(1, dtype=np.int64)
    for v in range(len(points)):
        _take(points[v], table, keys, count)
    return table, keys, count


@njit(cache=True, nogil=True, allocates=False)
def _take(point, table, keys, count):
    """Take the place of a point, (3,) int64. Returns whether it was free."""
    key = np.uint64(0)
    for i in range(3):
        key = (key << np.uint64(21)) | np.uint64(point[i] + 1)
    n = count[0]
    is_free = look_up(table, keys, key, n) == n
    if is_free:
        keys[n] = key
        count[0] += 1
    return is_free


@njit(cache=True, nogil=True, allocates=False)
def _has_room(point, xs, ys, zs, lower, upper, bounds):
    """Whether a vertex lies in no plane and no end. bounds: (3, 2), between which it then lies."""
    for axis, cuts in enumerate((xs, ys, zs)):
        below, above, is_in_plane = slab(point[axis], cuts, lower[axis], upper[axis])
        if is_in_plane or not below < point[axis] < above:
            return False
        bounds[axis, 0], bounds[axis, 1] = below, above
    return True


@njit(cache=True, nogil=True, allocates=False)
def _star(stars, v, near):
    """Write the faces of v to `near`, each from v on. Returns how many there are."""
    begin, size, room = block_of(stars, v)
    n = min(size, np.uint64(_MOST_NEAR))
    for j in range(n):
        near[j, 0] = v
        near[j, 1], near[j, 2] = stars.pool[begin + j], stars.pool[begin + room + j]
    return np.int64(n)


@njit(cache=True, nogil=True, allocates=False)
def _surroundings(stars, v, near, n):
    """Write the other faces of v's neighbours after the n faces of v. Returns how many are in."""
    n_near = n
    for j in range(n):
        w = near[j, 1]
        begin, size, room = block_of(stars, w)
        for k in range(size):
            a, b = np.int64(stars.pool[begin + k]), np.int64(stars.pool[begin + room + k])
            if n_near < _MOST_NEAR and a != v and b != v and not _is_met(near, j, a, b):
                near[n_near, 0], near[n_near, 1], near[n_near, 2] = w, a, b
                n_near += 1
    return n_near


@njit(cache=True, nogil=True, allocates=False)
def _is_met(near, n, a, b):
    """Whether a or b is one of the first n neighbours of a vertex."""
    found = False
    for j in range(n):
        found |= near[j, 1] == a or near[j, 1] == b
    return found


@njit(cache=True, nogil=True, allocates=False)
def _measure(points, near, spans, begin, end):
    """Write the boxes of some faces: (K, 6), their lower ends and their upper ends."""
    for k in range(begin, end):
        for i in range(3):
            x, y, z = points[near[k, 0], i], points[near[k, 1], i], points[near[k, 2], i]
            spans[k, i], spans[k, 3 + i] = min(x, y, z), max(x, y, z)


@njit(cache=True, nogil=True, allocates=False, forceinline=True)
def _meet(one, two):
    """Whether two boxes, (6,), meet."""
    return (
        one[0] <= two[3]
        and two[0] <= one[3]
        and one[1] <= two[4]
        and two[1] <= one[4]
        and one[2] <= two[5]
        and two[2] <= one[5]
    )


@njit(cache=True, nogil=True, allocates=False)
def _move(points, near, spans, n, n_near, v, ways, bounds, table, keys, count):
    """Move v to the first place where fewest faces cross, between its bounds, if any is better.

    near: (K, 3), the n faces of v, and more up to n_near. spans: scratch. table, keys, count: as
    `_taken` gives them. Two vertices in one place would be one vertex for the next LOD.
    """
    _measure(points, near, spans, n, n_near)
    least = _crossings(points, near, spans, n, n_near, n * n_near)
    x, y, z = points[v]
    best_x, best_y, best_z = x, y, z
    for w in range(len(ways)):
        if least == 0:
            break
        points[v, 0], points[v, 1], points[v, 2] = x + ways[w, 0], y + ways[w, 1], z + ways[w, 2]
        if _is_inside(points[v], bounds) and not _is_folded(points, near, n):
            found = _crossings(points, near, spans, n, n_near, least)
            if found < least and _take(points[v], table, keys, count):
                least = found
                best_x, best_y, best_z = points[v]
    points[v, 0], points[v, 1], points[v, 2] = best_x, best_y, best_z


@njit(cache=True, nogil=True, allocates=False)
def _is_inside(point, bounds):
    """Whether a point, (3,), lies between bounds, (3, 2)."""
    found = True
    for i in range(3):
        found &= bounds[i, 0] < point[i] < bounds[i, 1]
    return found


@njit(cache=True, nogil=True, allocates=False)
def _is_folded(points, near, n):
    """Whether one of the first n faces has no area."""
    for k in range(n):
        ux, uy, uz = difference(points, near[k, 0], near[k, 1])
        wx, wy, wz = difference(points, near[k, 0], near[k, 2])
        if uy * wz == uz * wy and uz * wx == ux * wz and ux * wy == uy * wx:
            return True
    return False


@njit(cache=True, nogil=True, allocates=False)
def _crossings(points, near, spans, n, n_near, most):
    """How many pairs cross of the first n faces with all n_near; at most `most` are counted."""
    _measure(points, near, spans, 0, n)
    found = 0
    for j in range(n):
        for k in range(j + 1, n_near):
            if _meet(spans[j], spans[k]) and cross(points, near[j], near[k]):
                found += 1
                if found == most:
                    return found
    return found
