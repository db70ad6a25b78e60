"""Fewer faces: edges are collapsed, piece by piece, where that moves the surface least.

A collapse moves a vertex u onto a neighbour v. Its error is the sum over the dense faces around u
of their area times the square of the distance from v to their plane, over the sum of the areas
(Garland and Heckbert 1997, "Surface simplification using quadric error metrics"). The mean square
is in square voxels, so its root says how far the surface moves. After the collapse, v stands for
the dense faces of u too.

Collapses are not sorted. Each round collapses every vertex whose best collapse has an error below a
limit, and the limit grows from round to round. Then the vertices that are left move to where they
fit the dense faces best. Pieces on both sides of a plane drop the same vertices of their common
border (`seam_curves`) and move none of it, so they still fit.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import ANYTHING, CROWDING, REACHING, UNFORCED
from snakemesh.mesh.piece_state import NEVER, Piece, clear, collapse_best, drop, look
from snakemesh.mesh.pieces import Pieces
from snakemesh.mesh.quadrics import dense_quadrics, settle
from snakemesh.mesh.stars import SIZE, block_of, faces_at_edge, stars_of
from snakemesh.mesh.submeshes import local_meshes
from snakemesh.mesh.vertex_states import DROPPED, FREE

# No piece is simplified below this many faces, but curves drop more: there is nothing left to gain,
# and the halves of a small body between two tiles would be pyramids.
MIN_FACES = 32
# The limit of the error in the first round, in voxels, and its growth from round to round. 0.01 and
# 1.4 would give 5 % better triangles on smooth bodies, and take a fifth more time.
FIRST_ERROR = 0.03
GROWTH = 1.6
# The largest error of a collapse that makes room for a vertex that must be dropped, in square
# voxels: max(limit, _LEAST_REACH) times _REACH[force], for the forces UNFORCED to REACHING.
_REACH = np.array([0, 1, 4, 16], dtype=np.float32)
_LEAST_REACH = np.float32(0.25)


def simplify(
    pieces: Pieces,
    states: np.ndarray,
    planes: np.ndarray,
    step: np.ndarray,
    keep: float,
    max_error: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simplify every piece. Its topology stays, and `states` decides what becomes of its border.

    states, planes: of each vertex, as `thin_curves` gives them. step: (3,) length of a
    step on each axis, in voxels. keep: fraction of the dense faces to keep, 0 to 1. max_error: how
    far the surface may move, in voxels; more faces than wanted are kept where it would move
    further.

    Returns faces (K, 3) int32, rows of the vertices of `pieces`; the piece of each, (K,) int32,
    ascending; how far each piece has moved: the mean square over its area, in voxels, (P,); and
    which faces have an edge with more than two faces of the piece, (K,) bool. Raises RuntimeError
    if a vertex that is to be dropped is left.
    """
    if len(pieces.faces) == 0:
        none = np.zeros(0, dtype=np.int32)
        return pieces.faces, none, np.zeros(len(pieces.owners)), none.astype(bool)
    local, rows, row_starts = local_meshes(len(pieces.vertices), pieces.faces, pieces.starts)
    targets = np.maximum(keep * pieces.dense, MIN_FACES).astype(np.int64)
    left, squares, is_crowded = _simplify(
        pieces.vertices,
        np.asarray(step, dtype=np.float64),
        local,
        pieces.starts,
        rows,
        row_starts,
        states,
        planes,
        targets,
        max_error,
    )
    owners = np.repeat(np.arange(len(pieces.owners), dtype=np.int32), left)
    # from place in a piece to place in all: the first ones of each are left
    before = np.concatenate([[0], np.cumsum(left)[:-1]])
    places = np.arange(len(owners)) + (pieces.starts[:-1] - before)[owners]
    kept = rows[local[places] + row_starts[owners][:, None]]
    if (states[kept] == DROPPED).any():
        raise RuntimeError("a vertex of a seam could not be dropped: the meshes would not fit")
    return kept, owners, squares, is_crowded[places]


@njit(cache=True, nogil=True)
def _simplify(vertices, step, local, starts, rows, row_starts, states, planes, targets, max_error):
    """Simplify all pieces. local: (M, 3) uint32; the faces that are left come first in each piece.

    Returns how many these are, how far each piece has moved, as `settle`, and which faces have an
    edge with more than two faces, (M,) bool.
    """
    left = np.zeros(len(starts) - 1, dtype=np.int64)
    squares = np.zeros(len(starts) - 1)
    is_crowded = np.zeros(len(local), dtype=np.bool_)
    for p in range(len(starts) - 1):
        mine = rows[row_starts[p] : row_starts[p + 1]]
        faces = local[starts[p] : starts[p + 1]]
        points = _points_of(vertices, mine, step)
        stars = stars_of(len(mine), faces)
        quadrics = dense_quadrics(points, stars)
        least = np.empty(len(mine), dtype=np.float32)
        piece = Piece(points, planes[mine], states[mine], quadrics, least, stars)
        limit = np.float32(max_error * max_error)
        force = _simplify_piece(piece, len(faces), targets[p], limit)
        left[p] = _faces_left(stars, faces)
        if force >= CROWDING:
            _find_crowded(stars, faces[: left[p]], is_crowded[starts[p] : starts[p + 1]])
        squares[p] = settle(piece.states == FREE, stars, points, quadrics)
        _write_back(points, piece.states, vertices, mine, step)
    return left, squares, is_crowded


@njit(cache=True, nogil=True)
def _points_of(vertices, rows, step):
    """The vertices of a piece in voxels, (V, 3) float32, from its first vertex.

    So nothing depends on where the tile lies.
    """
    points = np.empty((len(rows), 3), dtype=np.float32)
    for v in range(len(rows)):
        for i in range(3):
            points[v, i] = (vertices[rows[v], i] - vertices[rows[0], i]) * step[i]
    return points


@njit(cache=True, nogil=True, allocates=False)
def _write_back(points, states, vertices, rows, step):
    """Move the FREE vertices of a piece to where `points` has them, rounded to steps."""
    x, y, z = vertices[rows[0], 0], vertices[rows[0], 1], vertices[rows[0], 2]
    for v in range(len(rows)):
        if states[v] == FREE:
            vertices[rows[v], 0] = x + int(np.floor(points[v, 0] / step[0] + 0.5))
            vertices[rows[v], 1] = y + int(np.floor(points[v, 1] / step[1] + 0.5))
            vertices[rows[v], 2] = z + int(np.floor(points[v, 2] / step[2] + 0.5))


@njit(cache=True, nogil=True, allocates=False)
def _faces_left(stars, faces):
    """Write the faces that are left, from their first vertex on. Returns how many there are."""
    n = 0
    for v in range(len(stars.blocks)):
        u = np.uint32(v)
        begin, size, room = block_of(stars, u)
        for j in range(size):
            a, b = stars.pool[begin + j], stars.pool[begin + room + j]
            if u < a and u < b:
                faces[n, 0], faces[n, 1], faces[n, 2] = u, a, b
                n += 1
    return n


@njit(cache=True, nogil=True, allocates=False)
def _find_crowded(stars, faces, is_crowded):
    """Find the faces that have an edge with more than two faces."""
    for f in range(len(faces)):
        last = np.uint32(faces[f, 2])
        for i in range(3):
            corner = np.uint32(faces[f, i])
            is_crowded[f] |= faces_at_edge(stars, last, corner) > 2
            last = corner


@njit(cache=True, nogil=True, allocates=False)
def _simplify_piece(piece, n_faces, target, limit):
    """Simplify one piece to `target` faces, as long as the error is at most `limit`.

    Each round first drops vertices of curves, then collapses others whose error is below that of
    the round. A round that changes nothing while vertices are still to be dropped is followed by
    one with more force. Returns the force of the last round.
    """
    n_dropped = _begin(piece)
    error = min(np.float32(FIRST_ERROR * FIRST_ERROR), limit)
    force = UNFORCED
    while True:
        before = n_dropped, n_faces
        if n_dropped > 0:
            reach = max(limit, _LEAST_REACH) * _REACH[min(force, REACHING)]
            n_dropped, n_faces = _drop_all(piece, n_dropped, n_faces, force, reach)
        # each vertex of a curve that is still to be dropped takes a face with it
        n_faces = n_dropped + _collapse_all(piece, n_faces - n_dropped, target, error)
        if n_faces - n_dropped > target and error < limit:
            error = min(error * np.float32(GROWTH * GROWTH), limit)
        elif n_dropped == 0:
            return force
        elif (n_dropped, n_faces) == before:
            if force == ANYTHING:
                return force
            force += 1


@njit(cache=True, nogil=True, allocates=False)
def _begin(piece):
    """Find the least error of every vertex. Returns how many are to be dropped."""
    n_dropped = 0
    for v in range(len(piece.points)):
        u = np.uint32(v)
        if piece.states[u] == FREE:
            look(piece, u)
        elif piece.states[u] == DROPPED:
            piece.least[u] = 0
            n_dropped += 1
        else:
            piece.least[u] = NEVER
    return n_dropped


@njit(cache=True, nogil=True, allocates=False)
def _collapse_all(piece, n_faces, target, error):
    """Collapse each FREE vertex once if its error is at most `error`, down to `target` faces.

    Returns the number of faces that are left.
    """
    for v in range(len(piece.points)):
        if n_faces <= target:
            break
        u = np.uint32(v)
        if piece.least[u] <= error and piece.states[u] == FREE and piece.stars.blocks[u, SIZE]:
            n_faces -= collapse_best(piece, u, error)
    return n_faces


@njit(cache=True, nogil=True, allocates=False)
def _drop_all(piece, n_dropped, n_faces, force, reach):
    """Drop each DROPPED vertex that can go.

    With force, a neighbour of one that cannot go is collapsed, with an error of at most `reach`.
    Returns the numbers of vertices still to be dropped and of faces.
    """
    for v in range(len(piece.points)):
        u = np.uint32(v)
        if piece.states[u] != DROPPED or piece.stars.blocks[u, SIZE] == 0:
            continue
        gone = 0
        if piece.least[u] < NEVER or force > UNFORCED:
            gone = drop(piece, u, force)
            n_dropped -= gone > 0
        if gone == 0 and force > UNFORCED:
            gone = clear(piece, u, force, reach)
        n_faces -= gone
    return n_dropped, n_faces
