"""A piece of a surface while it is simplified, and the ways in which one of its vertices goes."""

from typing import NamedTuple

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import (
    ANYTHING,
    CROWDING,
    MAX_STAR,
    UNFORCED,
    border_neighbours,
    may_collapse,
)
from snakemesh.mesh.quadrics import best_neighbour, bring_along, collapse_error
from snakemesh.mesh.stars import BEST, NOBODY, SIZE, Stars, block_of, collapse
from snakemesh.mesh.vertex_states import FREE, KEPT

# The least error of a vertex that cannot collapse until something near it changes.
NEVER = np.float32(np.inf)
# At most this many neighbours of a vertex are tried, the best first.
_TRIES = 3


class Piece(NamedTuple):
    """A piece with N vertices: what collapses read and change."""

    points: np.ndarray  # (N, 3) float32, in voxels
    planes: np.ndarray  # (N,) uint8, from `thin_curves`
    states: np.ndarray  # (N,) uint8, from `thin_curves`
    quadrics: np.ndarray  # (N, 11) float32
    # (N,) float32: the least error of a collapse, when the vertex was last looked at. In
    # stars.blocks, BEST is the neighbour with this error, or NOBODY if `look` has to find both.
    least: np.ndarray
    stars: Stars


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def look(piece, u):
    """Find the neighbour into which u collapses with the least error, and this error."""
    v, least = best_neighbour(piece.quadrics, piece.points, piece.stars, u, np.float32(-1))
    piece.stars.blocks[u, BEST] = v
    piece.least[u] = least


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def collapse_best(piece, u, error):
    """Collapse u into the neighbour with the least error, if that is at most `error`.

    Returns the number of faces that are gone, 0 if u stays.
    """
    if piece.stars.blocks[u, SIZE] > MAX_STAR:
        piece.least[u] = NEVER
        return 0
    if piece.stars.blocks[u, BEST] == NOBODY:
        look(piece, u)
    v, least = piece.stars.blocks[u, BEST], piece.least[u]
    if least > error:
        return 0
    for _ in range(_TRIES):
        if may_collapse(piece.points, piece.planes, piece.stars, u, v, NOBODY, UNFORCED):
            return _collapse(piece, u, v)
        v, least = best_neighbour(piece.quadrics, piece.points, piece.stars, u, least)
        if least > error or v == NOBODY:
            break
    piece.least[u] = NEVER  # until its surroundings change
    return 0


@njit(cache=True, nogil=True, allocates=False)
def drop(piece, u, force):
    """Collapse u, a vertex of a curve, into one of its two neighbours in the curve.

    Returns the number of faces that are gone, 0 if u stays.
    """
    points, quadrics, stars = piece.points, piece.quadrics, piece.stars
    piece.least[u] = NEVER  # until its surroundings change
    if stars.blocks[u, SIZE] > MAX_STAR:
        return 0
    one, two = border_neighbours(stars, u)
    if one == NOBODY or two == NOBODY:
        return 0
    if collapse_error(quadrics, points, u, two) < collapse_error(quadrics, points, u, one):
        one, two = two, one
    for v, other in ((one, two), (two, one)):
        # ANYTHING leaves the surface closed, but perhaps no manifold
        if force == ANYTHING or may_collapse(points, piece.planes, stars, u, v, other, force):
            return _collapse(piece, u, v)
    return 0


@njit(cache=True, nogil=True, allocates=False)
def clear(piece, u, force, limit):
    """Make room for u, which cannot be dropped: collapse one of its neighbours into any vertex.

    Uses as little force as it can, up to `force`. Takes the collapse with the least error, if that
    is at most `limit`. Returns the number of faces that are gone, 0 if there is no such collapse.
    """
    stars = piece.stars
    begin, _, room = block_of(stars, u)
    for least_force in range(min(force, CROWDING) + 1):
        best, into = NOBODY, NOBODY
        least = limit
        for j in range(np.uint64(2) * room):
            w = stars.pool[begin + j]
            if w == NOBODY or piece.states[w] != FREE or stars.blocks[w, SIZE] > MAX_STAR:
                continue
            v, error = _best_allowed(piece, w, least_force, least)
            if v != NOBODY:
                best, into, least = w, v, error
        if best != NOBODY:
            return _collapse(piece, best, into)
    return 0


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _best_allowed(piece, w, force, limit):
    """The neighbour into which w may collapse with the least error, at most `limit`; the error.

    NOBODY if there is none. Of two with the same error, the later one.
    """
    stars = piece.stars
    best, least = NOBODY, limit
    begin, size, _ = block_of(stars, w)
    for j in range(size):
        v = stars.pool[begin + j]
        error = collapse_error(piece.quadrics, piece.points, w, v)
        if error <= least and may_collapse(piece.points, piece.planes, stars, w, v, NOBODY, force):
            best, least = v, error
    return best, least


@njit(cache=True, nogil=True, allocates=False)
def _collapse(piece, u, v):
    """Collapse u into v, and let `look` look at the vertices around again.

    Returns the number of faces that are gone.
    """
    least, states, stars = piece.least, piece.states, piece.stars
    bring_along(piece.quadrics, piece.points, u, v)
    begin, size, _ = block_of(stars, u)
    for j in range(size):
        w = stars.pool[begin + j]
        if stars.blocks[w, BEST] == u:
            stars.blocks[w, BEST] = NOBODY
        if least[w] == NEVER and states[w] != KEPT:
            least[w] = 0
            stars.blocks[w, BEST] = NOBODY
    stars.blocks[v, BEST] = NOBODY
    if states[v] != KEPT:
        least[v] = 0
    return collapse(stars, u, v)
