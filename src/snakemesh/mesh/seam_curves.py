"""Thinning the curves in which planes cut surfaces, so that both sides find the same vertices.

The dense surface crosses a plane in curves with a vertex every half voxel. Pieces on both sides of
the plane, in the same tile or in two, share these curves and nothing else. What is kept of a curve
follows from the curve alone: its positions are the same integers on both sides, whatever their
tile, and so are the decisions. Each piece then drops the other vertices by itself (`simplify`).

A curve runs from node to node, or is a loop. Nodes are where it meets another plane, and where more
than two edges meet. A curve keeps the vertices that Douglas and Peucker's algorithm keeps (1973,
"Algorithms for the reduction of the number of points required to represent a digitized line"), and
enough vertices that no two curves become the same edge. The vertices that stay stick out more than
others, so they are smoothed along the curve.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import difference
from snakemesh.mesh.pieces import Pieces, on_planes
from snakemesh.mesh.vertex_states import DROPPED, FREE, HELD, KEPT

# The least number of vertices that are kept of a loop: one more than those of a triangle, which
# pieces on both sides could close by the same face.
MIN_LOOP = 4


def thin_curves(
    pieces: Pieces, step: np.ndarray, tolerance: float, spacing: float, is_smoothed: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The state of each vertex, (N,) uint8, and the planes that hold it if it is in a curve.

    step: (3,) length of a step on each axis, in any measure. tolerance: how far a curve may move,
    in that measure. is_smoothed: what is kept is moved a little: `pieces.vertices` change. The
    planes are bits as those of `on_planes`, (N,) uint8.
    """
    planes = on_planes(pieces.codes)
    states = np.zeros(len(planes), dtype=np.uint8)
    ends, owners = _edges_in_planes(pieces.faces, pieces.starts, planes)
    edges = _between_pieces(ends, owners)
    vertices, edges = np.unique(edges, return_inverse=True)
    edges = edges.reshape(-1, 2).astype(np.int32)
    starts, neighbours = _adjacency(edges, len(vertices))
    axes = sum((planes[vertices] >> (2 * axis) & 3 != 0).astype(int) for axis in range(3))
    is_node = (np.diff(starts) != 2) | (axes > 1)
    points = pieces.vertices[vertices].astype(np.int64)
    kept = _kept(points, starts, neighbours, is_node, step, (tolerance**2, spacing))
    states[vertices] = np.where(kept, KEPT, DROPPED)
    if is_smoothed:
        pieces.vertices[vertices[kept]] = _smoothed(points, starts, neighbours, is_node)[kept]
    is_held = (states == FREE) & (planes > 0)
    states[is_held] = HELD
    planes[is_held] = 0
    return states, planes


@njit(cache=True, nogil=True)
def _edges_in_planes(faces, starts, planes):
    """The edges of faces whose ends lie in one plane: keys (E,) int64, and their pieces (E,) int32.

    The key of an edge has the smaller vertex in its upper half. The lowest bit of the piece's
    number is the direction in which the face runs along the edge.
    """
    keys, owners = [np.int64(0)], [np.int32(0)]
    for p in range(len(starts) - 1):
        for f in range(starts[p], starts[p + 1]):
            for i in range(3):
                u, v = faces[f, i], faces[f, (i + 1) % 3]
                if planes[u] & planes[v]:
                    keys.append((np.int64(min(u, v)) << 32) | max(u, v))
                    owners.append(np.int32(2 * p + (u < v)))
    return np.array(keys)[1:], np.array(owners)[1:]


def _between_pieces(keys: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """The edges (B, 2) along which a piece ends: its faces run along them more often one way.

    keys, owners: of each face, as `_edges_in_planes` gives them. An edge may have three faces in a
    piece, where two parts of a body touch: the piece ends there, as the piece beyond does.
    """
    order = np.lexsort((owners, keys))
    keys, owners = keys[order], owners[order]
    begins = np.flatnonzero(
        (np.diff(keys, prepend=-1) != 0) | (np.diff(owners >> 1, prepend=-1) != 0)
    )
    ways = 2 * (owners & 1) - 1
    sums = np.add.reduceat(ways, begins) if len(begins) else ways
    found = np.unique(keys[begins[sums != 0]])
    return np.stack([found >> 32, found & 0xFFFFFFFF], axis=1)


def _adjacency(edges: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of each vertex, one vertex after another, and where those of each begin."""
    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    return np.searchsorted(both[:, 0], np.arange(n + 1)), both[:, 1].copy()


@njit(cache=True, nogil=True)
def _kept(points, starts, neighbours, is_node, step, limits):
    """Which vertices are kept, (V,) bool. points: (V, 3) int64. starts, neighbours: adjacency."""
    kept = is_node.copy()
    is_met = is_node.copy()
    path = np.empty(len(points) + 1, dtype=np.int32)
    for u in range(len(points)):
        if is_node[u]:
            for e in range(starts[u], starts[u + 1]):
                if not is_met[neighbours[e]]:
                    n = _walk(u, neighbours[e], starts, neighbours, is_node, is_met, path)
                    _thin_arc(path[:n], points, step, limits, kept)
    for u in range(len(points)):
        if not is_met[u]:
            n = _walk(u, neighbours[starts[u]], starts, neighbours, is_node, is_met, path)
            _thin_loop(path[: n - 1], points, step, limits, kept)
    return kept


@njit(cache=True, nogil=True)
def _smoothed(points, starts, neighbours, is_node):
    """The points of curves without what alternates from vertex to vertex: (V, 3) int64.

    A sixteenth of the fourth difference is taken away, which leaves cubic curves as they are. Nodes
    stay, and so do their neighbours. The points stay in their planes.
    """
    result = points.copy()
    for v in range(len(points)):
        if is_node[v]:
            continue
        a, b = neighbours[starts[v]], neighbours[starts[v] + 1]
        if is_node[a] or is_node[b]:
            continue
        before, after = neighbours[starts[a]], neighbours[starts[b]]
        if before == v:
            before = neighbours[starts[a] + 1]
        if after == v:
            after = neighbours[starts[b] + 1]
        for i in range(3):
            fourth = points[before, i] + points[after, i] + 6 * points[v, i]
            fourth -= 4 * (points[a, i] + points[b, i])
            result[v, i] += (8 - fourth) // 16
    return result


@njit(cache=True, nogil=True, allocates=False)
def _walk(u, v, starts, neighbours, is_node, is_met, path):
    """Follow a curve from u over v to the next node, or back to u. Returns the vertices in path."""
    path[0], path[1] = u, v
    n = 2
    while not is_node[path[n - 1]] and path[n - 1] != u:
        at = path[n - 1]
        is_met[at] = True
        a, b = neighbours[starts[at]], neighbours[starts[at] + 1]
        path[n] = b if a == path[n - 2] else a
        n += 1
    is_met[u] = True
    return n


@njit(cache=True, nogil=True, allocates=False)
def _is_before(points, u, v):
    """Whether the position of u comes before that of v, in the order x, y, z."""
    for i in range(3):
        if points[u, i] != points[v, i]:
            return points[u, i] < points[v, i]
    return False


@njit(cache=True, nogil=True)
def _thin_arc(path, points, step, limits, kept):
    """Thin a curve between two nodes, the ends of the path: at least one vertex stays, if any."""
    n = len(path)
    if n < 3:
        return
    if path[0] == path[-1]:
        _thin_loop(path[:-1], points, step, limits, kept)
        return
    for i in range((n + 1) // 2):  # the direction that both sides take
        if _is_before(points, path[i], path[n - 1 - i]):
            break
        if _is_before(points, path[n - 1 - i], path[i]):
            for j in range(n // 2):
                path[j], path[n - 1 - j] = path[n - 1 - j], path[j]
            break
    curve = _from_first(path, points, step)
    found = np.zeros(n, dtype=np.bool_)
    where, _ = _farthest(curve, 0, n - 1)
    found[where] = True
    _divide(curve, 0, where, limits, found)
    _divide(curve, where, n - 1, limits, found)
    for i in range(n):
        if found[i]:
            kept[path[i]] = True


@njit(cache=True, nogil=True)
def _thin_loop(path, points, step, limits, kept):
    """Thin a loop: at least MIN_LOOP vertices stay, if it has as many."""
    n = len(path)
    if n <= MIN_LOOP:
        for v in path:
            kept[v] = True
        return
    # begin at the node, or else where and in the direction in which the positions come first
    best, way = 0, 1
    for first in range(1 if kept[path[0]] else n):
        for turn in (1, -1):
            for i in range(n):
                u, v = path[(first + turn * i) % n], path[(best + way * i) % n]
                if _is_before(points, v, u):
                    break
                if _is_before(points, u, v):
                    best, way = first, turn
                    break
    around = np.empty(n + 1, dtype=path.dtype)
    for i in range(n + 1):
        around[i] = path[(best + way * i) % n]
    curve = _from_first(around, points, step)
    found = np.zeros(n + 1, dtype=np.bool_)
    far, most = 2, -1.0  # with room for another vertex on both sides
    for i in range(2, n - 1):
        x, y, z = curve[i, 0], curve[i, 1], curve[i, 2]
        distance2 = x * x + y * y + z * z
        if distance2 > most:
            far, most = i, distance2
    found[0] = found[far] = True
    for begin, end in ((0, far), (far, n)):
        where, _ = _farthest(curve, begin, end)
        found[where] = True
        _divide(curve, begin, where, limits, found)
        _divide(curve, where, end, limits, found)
    for i in range(n + 1):
        if found[i]:
            kept[around[i]] = True


@njit(cache=True, nogil=True)
def _from_first(path, points, step):
    """The positions of a path, (n, 3) float64, from its first vertex: the same in every tile."""
    curve = np.empty((len(path), 3), dtype=np.float64)
    for i in range(len(path)):
        for j in range(3):
            curve[i, j] = (points[path[i], j] - points[path[0], j]) * step[j]
    return curve


@njit(cache=True, nogil=True)
def _divide(curve, begin, end, limits, found):
    """Find what lies too far from the line between two ends, which are found, by recursion."""
    todo = [(begin, end)]
    while len(todo) > 0:
        i, j = todo.pop()
        if j - i > 1:
            where, distance2 = _farthest(curve, i, j)
            if distance2 <= limits[0]:
                where = _halfway(curve, i, j, limits[1])
            if where > i:
                found[where] = True
                todo.append((i, where))
                todo.append((where, j))


@njit(cache=True, nogil=True, allocates=False)
def _farthest(curve, begin, end):
    """The first place between two ends that is farthest from the line between them, and the square
    of its distance.
    """
    dx, dy, dz = difference(curve, begin, end)
    length2 = dx * dx + dy * dy + dz * dz
    where, most = begin + 1, -1.0
    for i in range(begin + 1, end):
        x, y, z = difference(curve, begin, i)
        if length2 > 0:
            t = min(max((x * dx + y * dy + z * dz) / length2, 0.0), 1.0)
            x, y, z = x - t * dx, y - t * dy, z - t * dz
        distance2 = x * x + y * y + z * z
        if distance2 > most:
            where, most = i, distance2
    return where, most


@njit(cache=True, nogil=True)
def _halfway(curve, begin, end, spacing):
    """The place halfway along the curve between two ends; `begin` if they are near enough."""
    dx, dy, dz = difference(curve, begin, end)
    if dx * dx + dy * dy + dz * dz <= spacing * spacing:
        return begin
    lengths = np.zeros(end - begin + 1, dtype=np.float64)
    for i in range(begin, end):
        x, y, z = difference(curve, i, i + 1)
        lengths[i + 1 - begin] = lengths[i - begin] + np.sqrt(x * x + y * y + z * z)
    where = begin + 1
    for i in range(begin + 1, end):
        if abs(2 * lengths[i - begin] - lengths[-1]) < abs(
            2 * lengths[where - begin] - lengths[-1]
        ):
            where = i
    return where
