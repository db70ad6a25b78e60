"""Cutting triangle meshes at planes, in integers, so that both sides of a cut agree bit for bit.

A plane cuts an edge only where one end is strictly below and the other strictly above, and where it
does so is rounded from those two ends alone. Both triangles of an edge, in whatever job, get the
same integers, so no crack and no T-junction can arise.
"""

import numpy as np
from numba import njit

_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)


def split(
    vertices: np.ndarray, faces: np.ndarray, owners: np.ndarray, axis: int, plane: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split the faces that cross a plane, so that each lies on one side of it (touching is fine).

    vertices: (N, 3) int32. faces: (M, 3) int32. owners: (M,) int32, inherited by the pieces.
    axis: 0, 1 or 2. plane: position along it. Returns new arrays; the vertices that were there
    keep their rows.
    """
    crossing = _crossing(vertices, faces, axis, plane)
    if len(crossing) == 0:
        return vertices, faces, owners
    new_vertices, pieces, piece_owners = _split(vertices, faces, owners, crossing, axis, plane)
    whole = np.ones(len(faces), dtype=bool)
    whole[crossing] = False
    return (
        np.concatenate([vertices, new_vertices]),
        np.concatenate([faces[whole], pieces]),
        np.concatenate([owners[whole], piece_owners]),
    )


@njit(cache=True, nogil=True)
def sides(vertices, faces, axis, plane):
    """For faces that do not cross the plane: True where one lies above it.

    A face in the plane belongs to the side its object is on, that is below if it faces up, so
    that of two jobs that both see it exactly one takes it; a face without area belongs below.
    Returns (M,) bool.
    """
    above = np.zeros(len(faces), dtype=np.bool_)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        low = min(vertices[a, axis], vertices[b, axis], vertices[c, axis])
        high = max(vertices[a, axis], vertices[b, axis], vertices[c, axis])
        if low == plane and high == plane:
            above[f] = facing(vertices, faces[f], axis) < 0
        else:
            above[f] = low >= plane
    return above


@njit(cache=True, nogil=True)
def facing(vertices, face, axis):
    """Which way a face looks along an axis: twice the signed area of its shadow."""
    j, k = (axis + 1) % 3, (axis + 2) % 3
    a, b, c = face[0], face[1], face[2]
    uj = np.int64(vertices[b, j]) - vertices[a, j]
    uk = np.int64(vertices[b, k]) - vertices[a, k]
    wj = np.int64(vertices[c, j]) - vertices[a, j]
    wk = np.int64(vertices[c, k]) - vertices[a, k]
    return uj * wk - uk * wj


@njit(cache=True, nogil=True)
def _crossing(vertices, faces, axis, plane):
    found = np.empty(len(faces), dtype=np.int64)
    n = 0
    for f in range(len(faces)):
        a = vertices[faces[f, 0], axis]
        b = vertices[faces[f, 1], axis]
        c = vertices[faces[f, 2], axis]
        if min(a, b, c) < plane < max(a, b, c):
            found[n] = f
            n += 1
    return found[:n].copy()


@njit(cache=True, nogil=True)
def _cut_vertex(table, rows, vertices, new_vertices, n_new, u, v, axis, plane):
    """The row of the point where edge u-v meets the plane, made on first use: (row, n_new)."""
    low, high = (u, v) if vertices[u, axis] < vertices[v, axis] else (v, u)
    key = (np.uint64(low) << np.uint64(32)) | np.uint64(high)
    mask = np.uint64(len(table) - 1)
    slot = ((key * _MIX) >> np.uint64(20)) & mask
    while table[slot] != _EMPTY:
        if table[slot] == key:
            return rows[slot], n_new
        slot = (slot + np.uint64(1)) & mask
    span = np.int64(vertices[high, axis]) - vertices[low, axis]
    part = np.int64(plane) - vertices[low, axis]
    for i in range(3):
        rise = np.int64(vertices[high, i]) - vertices[low, i]
        new_vertices[n_new, i] = vertices[low, i] + (2 * rise * part + span) // (2 * span)
    table[slot] = key
    rows[slot] = len(vertices) + n_new
    return rows[slot], n_new + 1


@njit(cache=True, nogil=True)
def _split(vertices, faces, owners, crossing, axis, plane):
    size = 16
    while size < 4 * len(crossing):
        size *= 2
    table = np.full(size, _EMPTY, dtype=np.uint64)
    rows = np.empty(size, dtype=np.int32)
    new_vertices = np.empty((2 * len(crossing), 3), dtype=np.int32)
    pieces = np.empty((3 * len(crossing), 3), dtype=np.int32)
    piece_owners = np.empty(3 * len(crossing), dtype=np.int32)
    n_new = n = 0
    for i in range(len(crossing)):
        face = faces[crossing[i]]
        # turn the face until its first corner is alone on its side, or on the plane
        turn = 0
        for t in range(3):
            s0 = np.sign(vertices[face[t], axis] - plane)
            s1 = np.sign(vertices[face[(t + 1) % 3], axis] - plane)
            s2 = np.sign(vertices[face[(t + 2) % 3], axis] - plane)
            if s0 == 0 or (s1 == s2 and s0 == -s1):
                turn = t
                break
        a, b, c = face[turn], face[(turn + 1) % 3], face[(turn + 2) % 3]
        first = n
        if vertices[a, axis] == plane:
            m, n_new = _cut_vertex(table, rows, vertices, new_vertices, n_new, b, c, axis, plane)
            pieces[n] = (a, b, m)
            pieces[n + 1] = (a, m, c)
            n += 2
        else:
            p, n_new = _cut_vertex(table, rows, vertices, new_vertices, n_new, a, b, axis, plane)
            q, n_new = _cut_vertex(table, rows, vertices, new_vertices, n_new, c, a, axis, plane)
            pieces[n] = (a, p, q)
            pieces[n + 1] = (p, b, c)
            pieces[n + 2] = (p, c, q)
            n += 3
        for j in range(first, n):
            piece_owners[j] = owners[crossing[i]]
    return new_vertices[:n_new].copy(), pieces[:n].copy(), piece_owners[:n].copy()
