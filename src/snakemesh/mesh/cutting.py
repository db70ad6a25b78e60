"""Cutting triangle meshes at planes, in integers, so that both sides of a cut agree bit for bit.

A plane cuts an edge only where one end lies strictly below it and the other strictly above. The
point of the cut is rounded, and depends on those two ends alone. So both triangles of an edge get
the same integers, even in different jobs, and no crack and no T-junction can arise.

Each face has an owner: a number that says whose surface it is part of. Planes are perpendicular to
an axis. Positions are int32 in any measure.
"""

import numpy as np

from snakemesh.kernels.compiled import njit

# A free slot of the hash table of cut edges; no edge has this key.
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
# 2^64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3).
_MIX = np.uint64(0x9E3779B97F4A7C15)


def split(
    vertices: np.ndarray, faces: np.ndarray, owners: np.ndarray, axis: int, plane: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split the faces that cross a plane, so that each lies on one side of it (touching is fine).

    vertices: (N, 3) int32. faces: (M, 3) int32. owners: (M,) int32. axis: 0, 1 or 2. plane: its
    position along this axis. Returns vertices, faces and owners, or the arrays that were given if
    no face crosses the plane. Old vertices keep their rows, and new ones follow. The triangles
    that a face is split into have its owner; they follow the faces that were not split.
    """
    crossing = _crossing(vertices, faces, axis, plane)
    if len(crossing) == 0:
        return vertices, faces, owners
    new_vertices, new_faces, new_owners = _split(vertices, faces, owners, crossing, axis, plane)
    whole = np.ones(len(faces), dtype=bool)
    whole[crossing] = False
    return (
        np.concatenate([vertices, new_vertices]),
        np.concatenate([faces[whole], new_faces]),
        np.concatenate([owners[whole], new_owners]),
    )


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def first_not_below(positions, at):
    """The number of the first plane that does not lie below a position; how many there are if none.

    positions: (n,) int64, of the planes of an axis, ascending.
    """
    low, high = 0, len(positions)
    while low < high:
        middle = (low + high) // 2
        if positions[middle] < at:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True, allocates=False)
def facing(vertices, face, axis):
    """Which way a face looks along an axis: twice the signed area of its projection, int64.

    Positive if it faces up the axis, negative if it faces down, 0 if it is parallel to the axis or
    has no area.
    """
    j, k = (axis + 1) % 3, (axis + 2) % 3
    a, b, c = face[0], face[1], face[2]
    uj = np.int64(vertices[b, j]) - vertices[a, j]
    uk = np.int64(vertices[b, k]) - vertices[a, k]
    wj = np.int64(vertices[c, j]) - vertices[a, j]
    wk = np.int64(vertices[c, k]) - vertices[a, k]
    return uj * wk - uk * wj


@njit(cache=True, nogil=True)
def _crossing(vertices, faces, axis, plane):
    """The rows of the faces with corners strictly on both sides of the plane, int64."""
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


@njit(cache=True, nogil=True, allocates=False)
def _cut_vertex(table, rows, vertices, new_vertices, n_new, u, v, axis, plane):
    """The row of the vertex where edge u-v meets the plane, and the number of new vertices.

    The vertex is made when its edge is first met. table, rows: a hash table with open addressing,
    of a size that is a power of two, from the key of an edge to the row of its vertex.
    new_vertices: n_new of its rows are in use.
    """
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
    """New vertices, new faces and their owners, from the faces in the rows `crossing`.

    Every face has two or three triangles in place of it, in the same winding.
    """
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
        # turn the face until its first corner is on the plane, or alone on its side of it
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
            pieces[n, 0], pieces[n, 1], pieces[n, 2] = a, b, m
            pieces[n + 1, 0], pieces[n + 1, 1], pieces[n + 1, 2] = a, m, c
            n += 2
        else:
            p, n_new = _cut_vertex(table, rows, vertices, new_vertices, n_new, a, b, axis, plane)
            q, n_new = _cut_vertex(table, rows, vertices, new_vertices, n_new, c, a, axis, plane)
            pieces[n, 0], pieces[n, 1], pieces[n, 2] = a, p, q
            pieces[n + 1, 0], pieces[n + 1, 1], pieces[n + 1, 2] = p, b, c
            pieces[n + 2, 0], pieces[n + 2, 1], pieces[n + 2, 2] = p, c, q
            n += 3
        for j in range(first, n):
            piece_owners[j] = owners[crossing[i]]
    return new_vertices[:n_new].copy(), pieces[:n].copy(), piece_owners[:n].copy()
