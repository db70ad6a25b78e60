"""The faces around each vertex of a triangle mesh, side by side in memory.

A face u a b, counted from u, has a after u and b before it. Each vertex has a block of a pool, with
room for a multiple of 8 faces: first the vertices after it, then in the same order those before it.

    begin                       begin + room
    | a0 a1 a2 a3 a4 .. .. .. | b0 b1 b2 b3 b4 .. .. .. |      5 faces, room for 8
                    NOBODY ^                  NOBODY ^

So a search looks at 8 numbers with one instruction. A block that gets too small moves to the end of
the pool. When that is full, all blocks move together again.

Numbers of vertices are uint32, and places in the pool uint64: numba looks whether an index with a
sign is negative.
"""

from typing import NamedTuple

import numpy as np

from snakemesh.kernels.compiled import njit

NOBODY = np.uint32(0xFFFFFFFF)
_EIGHT = np.uint64(8)


class Stars(NamedTuple):
    """The blocks of N vertices."""

    pool: np.ndarray  # (P,) uint32
    # (N, 4) uint32: where the block begins, its number of faces, the number of faces it has room
    # for, and the neighbour of the best collapse. One array, because memory takes most of the time.
    blocks: np.ndarray
    used: np.ndarray  # (1,) uint64: where the free space begins
    # (S,) uint32, for `_move_together`: as long as all blocks at first, half as long as the pool
    spare: np.ndarray


BEGIN, SIZE, ROOM, BEST = 0, 1, 2, 3


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def block_of(stars, v):
    """Where the block of v begins, its number of faces, and its room in faces: uint64."""
    block = stars.blocks[v]
    return np.uint64(block[BEGIN]), np.uint64(block[SIZE]), np.uint64(block[ROOM])


@njit(cache=True, nogil=True)
def stars_of(n_vertices, faces):
    """The stars of a mesh. faces: (M, 3), any integers."""
    blocks = np.zeros((n_vertices, 4), dtype=np.uint32)
    for face in faces:
        for v in face:
            blocks[v, SIZE] += np.uint32(1)
    used = np.uint64(0)
    for v in range(n_vertices):
        room = _rounded_up(np.uint64(blocks[v, SIZE]))
        blocks[v, BEGIN], blocks[v, SIZE], blocks[v, ROOM], blocks[v, BEST] = used, 0, room, NOBODY
        used += np.uint64(2) * room
    pool = np.empty(np.uint64(2) * used, dtype=np.uint32)
    pool[:used] = NOBODY
    stars = Stars(pool, blocks, np.array([used]), np.empty(used, dtype=np.uint32))
    for face in faces:
        a, b, c = np.uint32(face[0]), np.uint32(face[1]), np.uint32(face[2])
        _append(stars, a, b, c)
        _append(stars, b, c, a)
        _append(stars, c, a, b)
    return stars


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _rounded_up(n):
    return (n + np.uint64(7)) // _EIGHT * _EIGHT


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _append(stars, v, after, before):
    """Add a face to a vertex, which has room for it."""
    begin, size, room = block_of(stars, v)
    stars.pool[begin + size] = after
    stars.pool[begin + room + size] = before
    stars.blocks[v, SIZE] = size + np.uint64(1)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def is_among(pool, begin, end, w):
    """Whether w is in the part of the pool from begin to end, whose length is a multiple of 8."""
    found = False
    for place in range(begin, end):
        found |= pool[place] == w
    return found


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def are_neighbours(stars, v, w):
    """Whether v and w are neighbours."""
    begin, _, room = block_of(stars, v)
    return is_among(stars.pool, begin, begin + np.uint64(2) * room, w)


@njit(cache=True, nogil=True, allocates=False)
def faces_at_edge(stars, v, w):
    """How many faces have both v and w."""
    begin, _, room = block_of(stars, v)
    n = 0
    for place in range(begin, begin + np.uint64(2) * room):
        n += stars.pool[place] == w
    return n


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def collapse(stars, u, v):
    """Put v in place of its neighbour u. Returns the number of faces gone, which held both."""
    pool = stars.pool
    begin, size, room = block_of(stars, u)
    gone = np.uint64(0)
    for j in range(size):
        a, b = pool[begin + j], pool[begin + room + j]
        if a == v:
            _take_out(stars, v, b, u)
            _take_out(stars, b, u, v)
            gone += np.uint64(1)
        elif b == v:
            _take_out(stars, v, u, a)
            _take_out(stars, a, v, u)
            gone += np.uint64(1)
    _make_room(stars, v, np.uint64(stars.blocks[v, SIZE]) + size - gone)
    begin, size, room = block_of(stars, u)  # the block may have moved
    for j in range(size):
        a, b = pool[begin + j], pool[begin + room + j]
        if a != v and b != v:
            _append(stars, v, a, b)
            begin_a, _, room_a = block_of(stars, a)
            _replace(pool, begin_a + room_a, room_a, u, v)
            begin_b, _, room_b = block_of(stars, b)
            _replace(pool, begin_b, room_b, u, v)
    stars.blocks[u, SIZE] = 0
    return np.int64(gone)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _replace(pool, begin, length, u, v):
    """Put v in place of u in a part of the pool whose length is a multiple of 8."""
    for place in range(begin, begin + length):
        w = pool[place]
        pool[place] = v if w == u else w


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _take_out(stars, v, after, before):
    """Take a face of v out of its block; the last one gets its place."""
    pool = stars.pool
    begin, size, room = block_of(stars, v)
    last = size - np.uint64(1)
    at = last
    for j in range(size):
        if pool[begin + j] == after and pool[begin + room + j] == before:
            at = j
            break
    pool[begin + at] = pool[begin + last]
    pool[begin + room + at] = pool[begin + room + last]
    pool[begin + last] = NOBODY
    pool[begin + room + last] = NOBODY
    stars.blocks[v, SIZE] = last


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _make_room(stars, v, n):
    """Move the block of v to the end if it has no room for n faces.

    The pool is long enough: v gets no more room than two blocks have together.
    """
    if n <= stars.blocks[v, ROOM]:
        return
    room = _rounded_up(n)
    if stars.used[0] + np.uint64(2) * room > np.uint64(len(stars.pool)):
        _move_together(stars)
    _move(stars, v, stars.pool, stars.used[0], room)
    stars.used[0] += np.uint64(2) * room


@njit(cache=True, nogil=True, allocates=False)
def _move_together(stars):
    """Close the gaps between blocks, which get the least room that their faces need.

    A collapse leaves no more faces than there were, and so no longer blocks.
    """
    used = np.uint64(0)
    for v in range(len(stars.blocks)):
        room = _rounded_up(np.uint64(stars.blocks[v, SIZE]))
        _move(stars, v, stars.spare, used, room)
        used += np.uint64(2) * room
    for place in range(used):
        stars.pool[place] = stars.spare[place]
    stars.used[0] = used


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _move(stars, v, to, place, room):
    """Copy the block of v to a place in an array, with another room."""
    begin, size, old = block_of(stars, v)
    for j in range(size):
        to[place + j] = stars.pool[begin + j]
        to[place + room + j] = stars.pool[begin + old + j]
    for j in range(size, room):
        to[place + j] = NOBODY
        to[place + room + j] = NOBODY
    stars.blocks[v, BEGIN] = place
    stars.blocks[v, ROOM] = room
