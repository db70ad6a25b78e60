"""Narrow strips of faces along borders, which decide the normals that the viewer computes there.

Neuroglancer adds up the normals of the faces at a vertex, each with the same weight, fragment by
fragment. On the border of a fragment these are faces on one side of the border, so the normal is
that of the surface some way off. A strip that leaves the border in the direction of the surface
itself gives the vertices of the border the normal of the surface.

         \\   |     /                     \\   |     /
          \\  |    /                      a'-------b'         strip
           a-------b                      | \\     |
                                          a-------b           border

Each vertex a of the border gets a companion a', which takes its place in all faces of its group.
The border itself stays, so other groups fit as before. What was a manifold is one with strips.

Everything is x y z, in steps of the lattice.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.kernels.compiled import njit

# Cosine of the angle by which a face may turn to make room for a strip: 60 degrees.
_LEAST_COSINE = 0.5
# How often a strip that would turn faces further is made half as wide, before it is left out.
_HALVINGS = 2


@dataclass(frozen=True)
class Borders:
    """The borders of groups of faces.

    groups, vertices, before, after: (S,) int64. Each vertex in a border of a group, and its
    neighbours along the border, in the direction of the faces. A vertex where borders of a group
    meet is left out. Ascending by group, then vertex.

    edges: (B, 4) int64. Each edge of a border: its group, its vertices in the direction of its
    face, and the row of its face.
    """

    groups: np.ndarray
    vertices: np.ndarray
    before: np.ndarray
    after: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True)
class Companions:
    """Where companions of the vertices of borders are to be, a row for each of `Borders.vertices`.

    moves: (S, 3) float64, the way from the vertex to its companion. is_needed: (S,) bool, of which
    vertices. lower, upper: (S, 3), what companions must lie strictly between. grain: (3,) int64,
    moves become multiples of it on each axis.
    """

    moves: np.ndarray
    is_needed: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    grain: np.ndarray

    def rounded(self, moves: np.ndarray) -> np.ndarray:
        """Moves (n, 3) as multiples of the grain."""
        return np.asarray(np.rint(moves / self.grain) * self.grain)

    def may_be(self, places: np.ndarray) -> np.ndarray:
        """Which of them may be at places (S, 3): (S,) bool."""
        return np.asarray(((places > self.lower) & (places < self.upper)).all(axis=1))


def borders_of(faces: np.ndarray, groups: np.ndarray, is_wanted: np.ndarray) -> Borders:
    """The borders of groups of faces: edges with one face in their group.

    faces: (M, 3), in each group all faces that have a corner that is wanted. groups: (M,).
    is_wanted: (N,) bool, which vertices are looked for.
    """
    begin, end = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    rows = np.flatnonzero(is_wanted[begin] | is_wanted[end])
    begin, end, of = begin[rows], end[rows], rows // 3
    sides = np.stack([groups[of], np.minimum(begin, end), np.maximum(begin, end)])
    order = np.lexsort(sides[::-1])
    first = np.flatnonzero(np.append(True, np.diff(sides[:, order]).any(axis=0)))
    alone = order[first[np.diff(first, append=len(order)) == 1]] if len(order) else order
    edges = np.stack([groups[of[alone]], begin[alone], end[alone], of[alone]], axis=1)
    leaving, out = _only_once(edges[:, 0] * len(is_wanted) + edges[:, 1])
    arriving, into = _only_once(edges[:, 0] * len(is_wanted) + edges[:, 2])
    keys, i, j = np.intersect1d(leaving, arriving, assume_unique=True, return_indices=True)
    group, vertex = np.divmod(keys, len(is_wanted))
    found = is_wanted[vertex]
    before, after = edges[into[j[found]], 1], edges[out[i[found]], 2]
    return Borders(group[found], vertex[found], before, after, edges)


def add_strips(
    vertices: np.ndarray,
    faces: np.ndarray,
    groups: np.ndarray,
    borders: Borders,
    companions: Companions,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Put strips along the borders of groups of faces.

    vertices: (N, 3) int32. faces, groups: those that were given to `borders_of`.

    Returns the vertices, with the companions behind them; the faces, in the same rows; the faces of
    the strips; and for each of these the row of the face that it lies beside. Where a strip would
    turn a face too far it is narrower, or left out.
    """
    n = len(vertices)
    keys = borders.groups * n + borders.vertices
    which = _rows_of(keys, groups[:, None] * n + faces)
    points = vertices.astype(np.float64)
    at = points[borders.vertices]
    moves = companions.rounded(companions.moves)
    is_moved = companions.is_needed & companions.may_be(at + moves)
    narrowed, rows = 0, np.arange(len(faces))
    while True:
        places = np.where(is_moved[:, None], at + moves, at)
        bad = np.flatnonzero(_at_turned(points, faces, rows, which, places) & is_moved)
        if len(bad) == 0:
            break
        if narrowed < _HALVINGS:
            moves[bad] = companions.rounded(moves[bad] / 2)
            is_moved &= companions.may_be(at + moves)
        else:
            is_moved[bad] = False
        narrowed += 1
        # only faces at other companions have changed
        rows = np.flatnonzero(np.isin(which, bad).any(axis=1))
    new = np.where(is_moved, n + np.cumsum(is_moved) - 1, borders.vertices)
    vertices = np.concatenate([vertices, places[is_moved].astype(vertices.dtype)])
    moved = np.where(which >= 0, new[which], faces).astype(faces.dtype)
    strips, of = _strips(points, borders, keys, new)
    return vertices, moved, strips.astype(faces.dtype), of


def with_faces(
    faces: np.ndarray,
    owners: np.ndarray,
    boxes: np.ndarray,
    strips: list[np.ndarray],
    beside: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces, owners and boxes with the faces of strips, ordered by owner, then box.

    strips: (K, 3) each. beside: (K,) each, the rows of the faces that they lie beside.
    """
    of = np.concatenate([np.arange(len(faces)), *beside])
    faces = np.concatenate([faces, *strips])
    owners, boxes = owners[of], boxes[of]
    # what is nearly in order is sorted fast
    order = np.argsort(owners * (boxes.max(initial=0) + 1) + boxes, kind="stable")
    return faces[order], owners[order], boxes[order]


def drawn_normals(
    vertices: np.ndarray, faces: np.ndarray, groups: np.ndarray, borders: Borders
) -> np.ndarray:
    """The normals that the viewer computes at vertices of borders from their groups, (S, 3)."""
    keys = borders.groups * len(vertices) + borders.vertices
    which = _rows_of(keys, groups[:, None] * len(vertices) + faces)
    drawn = np.zeros((len(keys), 3))
    _add_normals(vertices.astype(np.float64), faces, which, drawn)
    return unit(drawn)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, 3) at length 1; those of length 0 stay so."""
    length = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    scaled: np.ndarray = vectors / np.where(length > 0, length, 1)
    return scaled


def _strips(
    points: np.ndarray, borders: Borders, keys: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The faces between the vertices of borders and their companions, and the faces beside them.

    keys: of the vertices of borders. new: (S,), the companion of each, or itself if it has none.
    """
    group, u, v, of = borders.edges.T
    rows_u, rows_v = (_rows_of(keys, group * len(points) + w) for w in (u, v))
    new_u, new_v = np.where(rows_u >= 0, new[rows_u], u), np.where(rows_v >= 0, new[rows_v], v)
    has_u, has_v = new_u != u, new_v != v
    # where both have one, a face from u v to the companion of the end whose position comes last
    turned = has_v & (~has_u | _is_before(points[u], points[v]))
    first = np.stack([u, v, np.where(turned, new_v, new_u)], axis=1)[has_u | has_v]
    second = np.stack([np.where(turned, u, v), new_v, new_u], axis=1)[has_u & has_v]
    return np.concatenate([first, second]), np.concatenate([of[has_u | has_v], of[has_u & has_v]])


def _is_before(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether positions (n, 3) come before others in the order x, y, z, so on both sides of a
    border alike.
    """
    axis = (some != others).argmax(axis=1)[:, None]
    found: np.ndarray = np.take_along_axis(some < others, axis, axis=1)[:, 0]
    return found


def _only_once(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The keys that occur once, ascending, and where."""
    found, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return found[counts == 1], first[counts == 1]


def _rows_of(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where wanted keys are among ascending ones; -1 of those that are not."""
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[rows] == wanted, rows, -1)


@njit(cache=True, nogil=True)
def _at_turned(points, faces, rows, which, places):
    """The companions at faces that they turn too far: (S,) bool.

    points: (N, 3) float64. faces: (M, 3). rows: of the faces that are looked at. which: (M, 3), of
    the companions that take the place of their corners, -1 for none. places: (S, 3) float64.
    """
    found = np.zeros(len(places), dtype=np.bool_)
    for f in rows:
        before = _unit_normal(points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]])
        a = points[faces[f, 0]] if which[f, 0] < 0 else places[which[f, 0]]
        b = points[faces[f, 1]] if which[f, 1] < 0 else places[which[f, 1]]
        c = points[faces[f, 2]] if which[f, 2] < 0 else places[which[f, 2]]
        after = _unit_normal(a, b, c)
        cosine = before[0] * after[0] + before[1] * after[1] + before[2] * after[2]
        if cosine < _LEAST_COSINE:
            for i in range(3):
                if which[f, i] >= 0:
                    found[which[f, i]] = True
    return found


@njit(cache=True, nogil=True, allocates=False)
def _add_normals(points, faces, which, sums):
    """Add the normal of each face, at length 1, to the sums of its corners, (S, 3) float64.

    which: (M, 3), the row of each corner's sum, -1 for none.
    """
    for f in range(len(faces)):
        x, y, z = _unit_normal(points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]])
        for i in range(3):
            row = which[f, i]
            if row >= 0:
                sums[row, 0] += x
                sums[row, 1] += y
                sums[row, 2] += z


@njit(cache=True, nogil=True, allocates=False)
def _unit_normal(a, b, c):
    """The normal of a triangle at length 1; 0 if it has no area."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    length = np.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length) if length > 0 else (0.0, 0.0, 0.0)
