"""Fewer faces: edges are collapsed, piece by piece, where that moves the surface least.

A collapse moves a vertex u onto a neighbour v. Its error is the sum over the dense faces around u
of their area times the square of the distance from v to their plane, over the sum of the areas
(Garland and Heckbert 1997, "Surface simplification using quadric error metrics"). The mean square
is in voxels, so its root says how far the surface moves. A vertex brings the faces that it stands
for along when it collapses.

Collapses are not sorted. In each of several rounds every vertex whose best collapse has an error
below a limit is collapsed, and the limit grows from round to round. What is left is moved to where
it fits the dense faces best. A piece drops the vertices of its border that `seam_curves` says, and
moves none. So pieces fit before and after.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import CROWDING, UNFORCED
from snakemesh.mesh.piece_state import ANYTHING, NEVER, Piece, clear, collapse_best, drop, look
from snakemesh.mesh.pieces import Pieces
from snakemesh.mesh.quadrics import dense_quadrics, settle
from snakemesh.mesh.stars import SIZE, block_of, stars_of
from snakemesh.mesh.submeshes import local_meshes
from snakemesh.mesh.vertex_states import DROPPED, FREE, KEPT

# A closed surface is not simplified below this many faces: there is nothing left to gain. A piece
# of one may have fewer.
MIN_CLOSED_FACES, MIN_PIECE_FACES = 32, 4
# The limit of the error in the first round, in voxels, and its growth from round to round. Smaller
# ones take longer: 0.01 and 1.4 a fifth more time, for 5 % better triangles on smooth bodies.
FIRST_ERROR = 0.03
GROWTH = 1.6
# Errors of collapses that make room, by force: these factors of the limit, or of _LEAST_REACH.
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
    which pieces may have edges that `split_crowded_edges` splits, (P,) bool. Raises RuntimeError if
    a vertex that is to be dropped is left.
    """
    if len(pieces.faces) == 0:
        n = len(pieces.owners)
        return pieces.faces, np.zeros(0, dtype=np.int32), np.zeros(n), np.zeros(n, dtype=bool)
    local, rows, row_starts = local_meshes(len(pieces.vertices), pieces.faces, pieces.starts)
    is_open = np.logical_or.reduceat(states[rows] == KEPT, row_starts[:-1])
    least = np.where(is_open, MIN_PIECE_FACES, MIN_CLOSED_FACES)
    targets = np.maximum(keep * pieces.dense, least).astype(np.int64)
    left, squares, forces = _simplify(
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
    return kept, owners, squares, forces >= CROWDING


@njit(cache=True, nogil=True)
def _simplify(vertices, step, local, starts, rows, row_starts, states, planes, targets, max_error):
    """Simplify all pieces. local: (M, 3) uint32; the faces that are left come first in each piece.

    Returns how many these are, how far each piece has moved, as `settle`, and the force it took.
    """
    left = np.zeros(len(starts) - 1, dtype=np.int64)
    squares = np.zeros(len(starts) - 1)
    forces = np.zeros(len(starts) - 1, dtype=np.int64)
    for p in range(len(starts) - 1):
        mine = rows[row_starts[p] : row_starts[p + 1]]
        faces = local[starts[p] : starts[p + 1]]
        points = np.empty((len(mine), 3), dtype=np.float32)
        for v in range(len(mine)):
            for i in range(3):
                # from a vertex of the piece, so that nothing depends on where the tile lies
                points[v, i] = (vertices[mine[v], i] - vertices[mine[0], i]) * step[i]
        stars = stars_of(len(mine), faces)
        quadrics = dense_quadrics(points, stars)
        least = np.empty(len(mine), dtype=np.float32)
        piece = Piece(points, planes[mine], states[mine], quadrics, least, stars)
        limit = np.float32(max_error * max_error)
        forces[p] = _simplify_piece(piece, len(faces), targets[p], limit)
        left[p] = _faces_left(stars, faces)
        squares[p] = settle(piece.states == FREE, stars, points, quadrics)
        origin = vertices[mine[0]].copy()
        for v in range(len(mine)):
            if states[mine[v]] == FREE:
                for i in range(3):
                    vertices[mine[v], i] = origin[i] + int(np.floor(points[v, i] / step[i] + 0.5))
    return left, squares, forces


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
def _simplify_piece(piece, n_faces, target, limit):
    """Simplify one piece to `target` faces, as long as the error is at most `limit`.

    Returns the force that it took. The curves come first: what they have to drop is tried in every
    round, and at last by force.
    """
    n_dropped = _begin(piece)
    error = min(np.float32(FIRST_ERROR * FIRST_ERROR), limit)
    force = UNFORCED
    while True:
        before = n_dropped, n_faces
        if n_dropped > 0:
            reach = max(limit, _LEAST_REACH) * _REACH[min(force, 3)]
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
    """A round: collapse what costs at most `error`, down to `target`. Returns the faces left."""
    for v in range(len(piece.points)):
        if n_faces <= target:
            break
        u = np.uint32(v)
        if piece.least[u] <= error and piece.states[u] == FREE and piece.stars.blocks[u, SIZE]:
            n_faces -= collapse_best(piece, u, error)
    return n_faces


@njit(cache=True, nogil=True, allocates=False)
def _drop_all(piece, n_dropped, n_faces, force, reach):
    """A round of the curves: drop what can be dropped. Returns what is left to drop, and faces.

    With force, a vertex that stays in the way of one is collapsed, at an error of at most `reach`.
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
