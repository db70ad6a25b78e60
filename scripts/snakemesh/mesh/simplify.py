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

from snakemesh.compiled import njit
from snakemesh.mesh.collapse import (
    MAX_STAR,
    border_neighbours,
    collapse,
    may_collapse,
    star,
    stars,
)
from snakemesh.mesh.pieces import Pieces
from snakemesh.mesh.quadrics import LEAST, bring_along, collapse_error, dense_quadrics, settle
from snakemesh.mesh.seam_curves import DROPPED, FREE, KEPT
from snakemesh.mesh.submeshes import local_meshes

# A closed surface is not simplified below this many faces: there is nothing left to gain. A piece
# of one may have fewer.
MIN_CLOSED_FACES, MIN_PIECE_FACES = 32, 4
# The limit of the error in the first round, in voxels, and its growth from round to round. Smaller
# ones take longer: 0.01 and 1.4 a fifth more time, for 5 % better triangles on smooth bodies.
FIRST_ERROR = 0.03
GROWTH = 1.6
# So many neighbours of a vertex are tried, the best first.
_TRIES = 3
_NEVER = np.float32(np.inf)
# Errors of collapses that make room, by force: these factors of the limit, or of _LEAST_REACH.
_REACH = np.array([0, 1, 4, 16], dtype=np.float32)
_LEAST_REACH = np.float32(0.25)
_CROWDING_FORCE = 2  # from here on, edges may get more than two faces


def simplify(
    pieces: Pieces,
    fates: np.ndarray,
    planes: np.ndarray,
    step: np.ndarray,
    keep: float,
    max_error: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simplify every piece. Its topology stays, and its border is what `fates` says.

    fates, planes: of each vertex, as `seam_curves.thin_curves` gives them. step: (3,) length of a
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
    corners = local.view(np.int32).ravel()
    is_open = np.logical_or.reduceat(fates[rows] == KEPT, row_starts[:-1])
    least = np.where(is_open, MIN_PIECE_FACES, MIN_CLOSED_FACES)
    targets = np.maximum(keep * pieces.dense, least).astype(np.int64)
    squares, forces = _simplify(
        pieces.vertices,
        np.asarray(step, dtype=np.float64),
        corners,
        pieces.starts,
        rows,
        row_starts,
        fates,
        planes,
        targets,
        max_error,
    )
    faces = corners.reshape(-1, 3)
    is_left = faces[:, 0] >= 0
    owners = np.repeat(np.arange(len(pieces.owners), dtype=np.int32), np.diff(pieces.starts))
    owners = owners[is_left]
    kept = rows[faces[is_left] + row_starts[owners][:, None]]
    if (fates[kept] == DROPPED).any():
        raise RuntimeError("a vertex of a seam could not be dropped: the meshes would not fit")
    return kept, owners, squares, forces >= _CROWDING_FORCE


@njit(cache=True, nogil=True)
def _simplify(vertices, step, corners, starts, rows, row_starts, fates, planes, targets, max_error):
    """Simplify all pieces. corners: (3 M,) int32, changed in place; -1 in faces that are gone.

    Returns how far each piece has moved, as `settle`, and the force it took, (P,) int64.
    """
    squares = np.zeros(len(starts) - 1)
    forces = np.zeros(len(starts) - 1, dtype=np.int64)
    for p in range(len(starts) - 1):
        mine = rows[row_starts[p] : row_starts[p + 1]]
        points = np.empty((len(mine), 3), dtype=np.float32)
        for v in range(len(mine)):
            for i in range(3):
                # from a vertex of the piece, so that nothing depends on where the tile lies
                points[v, i] = (vertices[mine[v], i] - vertices[mine[0], i]) * step[i]
        squares[p], forces[p] = _simplify_piece(
            points,
            corners[3 * starts[p] : 3 * starts[p + 1]],
            fates[mine],
            planes[mine],
            targets[p],
            np.float32(max_error * max_error),
        )
        origin = vertices[mine[0]].copy()
        for v in range(len(mine)):
            if fates[mine[v]] == FREE:
                for i in range(3):
                    vertices[mine[v], i] = origin[i] + int(np.floor(points[v, i] / step[i] + 0.5))
    return squares, forces


@njit(cache=True, nogil=True, inline="always")
def _simplify_piece(points, corners, fates, planes, target, limit):
    """Simplify one piece to `target` faces, as long as the error is at most `limit`.

    Returns how far it has moved, as `settle`, and the force that it took.
    The curves come first: what they have to drop is tried in every round, and at last by force.
    """
    first, link = stars(len(points), corners)
    quadrics = dense_quadrics(points, corners)
    marks = np.zeros(len(points), dtype=np.int32)
    ring = np.empty((6, MAX_STAR + 1), dtype=np.int32)
    n_faces = len(corners) // 3
    n_dropped = 0
    for fate in fates:
        n_dropped += fate == DROPPED
    error = min(np.float32(FIRST_ERROR * FIRST_ERROR), limit)
    mark = 0
    force = 0
    while True:
        before = n_dropped, n_faces
        for u in range(len(points)):
            if first[u] < 0 or fates[u] == KEPT:
                continue
            gone = 0
            if fates[u] == DROPPED:
                if quadrics[u, LEAST] < _NEVER or force > 0:
                    gone, mark = _drop(
                        points,
                        corners,
                        first,
                        link,
                        planes,
                        quadrics,
                        marks,
                        ring,
                        u,
                        mark,
                        force,
                    )
                    n_dropped -= gone > 0
                if gone == 0 and force > 0:
                    gone, mark = _clear(
                        points,
                        corners,
                        first,
                        link,
                        planes,
                        quadrics,
                        marks,
                        ring,
                        fates,
                        u,
                        mark,
                        force,
                        max(limit, _LEAST_REACH) * _REACH[min(force, 3)],
                    )
            elif n_faces - n_dropped > target and quadrics[u, LEAST] <= error:
                gone, mark = _collapse_best(
                    points, corners, first, link, planes, quadrics, marks, ring, u, error, mark
                )
            n_faces -= gone
        # each vertex of a curve that is still to be dropped takes a face with it
        if n_faces - n_dropped > target and error < limit:
            error = min(error * np.float32(GROWTH * GROWTH), limit)
        elif n_dropped == 0:
            break
        elif (n_dropped, n_faces) == before:
            if force == 4:
                break
            force += 1
    return settle(fates == FREE, first, points, quadrics), force


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _collapse_best(points, corners, first, link, planes, quadrics, marks, ring, u, error, mark):
    """Collapse u into the neighbour that it fits best: faces that are gone, 0 if none, and mark."""
    n = star(corners, first, link, u, ring, 0)
    if n == 0 or n > MAX_STAR:
        quadrics[u, LEAST] = _NEVER
        return 0, mark
    most = _NEVER
    least = np.float32(-1)
    for attempt in range(_TRIES):
        # the best neighbour after the one that was tried last
        v = -1
        most = _NEVER
        for j in range(n):
            e = collapse_error(quadrics, points, u, ring[0, j])
            if least < e < most:
                v, most = ring[0, j], e
        if attempt == 0:
            quadrics[u, LEAST] = most
        if v < 0 or most > error:
            break
        mark += 1
        n_v = star(corners, first, link, v, ring, 3)
        if may_collapse(points, planes, marks, mark, u, v, ring, n, n_v, -1, 0):
            return _collapse(points, corners, first, link, quadrics, ring, u, v, n), mark
        least = most
    if quadrics[u, LEAST] <= error:
        quadrics[u, LEAST] = _NEVER  # until its surroundings change
    return 0, mark


@njit(cache=True, nogil=True, allocates=False)
def _drop(points, corners, first, link, planes, quadrics, marks, ring, u, mark, force):
    """Collapse u, which is in a curve, along it: faces that are gone, 0 if none, and mark."""
    quadrics[u, LEAST] = _NEVER  # until its surroundings change
    n = star(corners, first, link, u, ring, 0)
    if n == 0 or n > MAX_STAR:
        return 0, mark
    one, two = border_neighbours(ring, n)
    if one < 0 or two < 0:
        return 0, mark
    if collapse_error(quadrics, points, u, two) < collapse_error(quadrics, points, u, one):
        one, two = two, one
    for v, other in ((one, two), (two, one)):
        mark += 1
        n_v = star(corners, first, link, v, ring, 3)
        # at the very last it goes all the same: the surface is closed, if no longer a manifold
        if force == 4 or may_collapse(
            points, planes, marks, mark, u, v, ring, n, n_v, other, force
        ):
            return _collapse(points, corners, first, link, quadrics, ring, u, v, n), mark
    return 0, mark


@njit(cache=True, nogil=True)
def _clear(
    points, corners, first, link, planes, quadrics, marks, ring, fates, u, mark, force, limit
):
    """Collapse a vertex next to u, which cannot be dropped because of it: as `_collapse_best`.

    Of all collapses that are allowed it takes the best, if its error is at most `limit`.
    """
    n = min(star(corners, first, link, u, ring, 0), MAX_STAR)
    near = ring[:2, :n].copy()
    for least_force in range(min(force, 2) + 1):
        best, into = -1, -1
        least = limit
        for w in near.flat:
            if fates[w] == KEPT or fates[w] == DROPPED:
                continue
            n = star(corners, first, link, w, ring, 0)
            for j in range(n if n <= MAX_STAR else 0):
                v = ring[0, j]
                e = collapse_error(quadrics, points, w, v)
                if e <= least:
                    mark += 1
                    n_v = star(corners, first, link, v, ring, 3)
                    if may_collapse(
                        points, planes, marks, mark, w, v, ring, n, n_v, -1, least_force
                    ):
                        best, into, least = w, v, e
        if best >= 0:
            n = star(corners, first, link, best, ring, 0)
            return _collapse(points, corners, first, link, quadrics, ring, best, into, n), mark
    return 0, mark


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _collapse(points, corners, first, link, quadrics, ring, u, v, n):
    """Collapse u into v, and have all around looked at again. Returns the faces that are gone."""
    bring_along(quadrics, points, u, v)
    quadrics[v, LEAST] = 0
    for j in range(n):
        w = ring[0, j]
        if w != v:
            if quadrics[w, LEAST] < _NEVER:
                quadrics[w, LEAST] = min(quadrics[w, LEAST], collapse_error(quadrics, points, w, v))
            else:
                quadrics[w, LEAST] = 0
    return collapse(corners, first, link, u, v, ring, n)
