"""A piece of a surface while it is simplified, and what becomes of one of its vertices."""

from typing import NamedTuple

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.collapse import CROWDING, MAX_STAR, UNFORCED, border_neighbours, may_collapse
from snakemesh.mesh.quadrics import best_neighbour, bring_along, collapse_error
from snakemesh.mesh.stars import BEST, NOBODY, SIZE, Stars, block_of, collapse
from snakemesh.mesh.vertex_states import FREE, KEPT

# The most force: what is to be dropped goes, whatever becomes of the surface.
ANYTHING = 4
NEVER = np.float32(np.inf)
# At most this many neighbours of a vertex are tried, the best first.
_TRIES = 3


class Piece(NamedTuple):
    """What collapses look at and change, of a piece with N vertices."""

    points: np.ndarray  # (N, 3) float32, in voxels
    planes: np.ndarray  # (N,) uint8, from `thin_curves`
    states: np.ndarray  # (N,) uint8, from `thin_curves`
    quadrics: np.ndarray  # (N, 11) float32
    # (N,) float32: the least error of a collapse, when it was last looked at. BEST, in the blocks,
    # is the neighbour with this error; NOBODY if it has to be looked at again.
    least: np.ndarray
    stars: Stars


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def look(piece, u):
    """Find the neighbour that u fits best, and the error."""
    v, least = best_neighbour(piece.quadrics, piece.points, piece.stars, u, np.float32(-1))
    piece.stars.blocks[u, BEST] = v
    piece.least[u] = least


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def collapse_best(piece, u, error):
    """Collapse u into the neighbour that it fits best: faces that are gone, 0 if none."""
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
    """Collapse u, which is in a curve, along it: faces that are gone, 0 if none."""
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
        # at the very last it goes all the same: the surface is closed, if no longer a manifold
        if force == ANYTHING or may_collapse(points, piece.planes, stars, u, v, other, force):
            return _collapse(piece, u, v)
    return 0


@njit(cache=True, nogil=True, allocates=False)
def clear(piece, u, force, limit):
    """Collapse a vertex next to u, which cannot be dropped because of it: as `collapse_best`.

    It takes the best collapse that is allowed, if its error is at most `limit`.
    """
    points, quadrics, stars = piece.points, piece.quadrics, piece.stars
    begin, _, room = block_of(stars, u)
    for least_force in range(min(force, CROWDING) + 1):
        best, into = NOBODY, NOBODY
        least = limit
        for j in range(np.uint64(2) * room):
            w = stars.pool[begin + j]
            if w == NOBODY or piece.states[w] != FREE or stars.blocks[w, SIZE] > MAX_STAR:
                continue
            begin_w, size_w, _ = block_of(stars, w)
            for k in range(size_w):
                v = stars.pool[begin_w + k]
                error = collapse_error(quadrics, points, w, v)
                if error <= least and may_collapse(
                    points, piece.planes, stars, w, v, NOBODY, least_force
                ):
                    best, into, least = w, v, error
        if best != NOBODY:
            return _collapse(piece, best, into)
    return 0


@njit(cache=True, nogil=True, allocates=False)
def _collapse(piece, u, v):
    """Collapse u into v, and have all around looked at again. Returns the faces that are gone."""
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
