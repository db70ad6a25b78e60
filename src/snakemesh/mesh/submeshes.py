"""Pulling the faces of many surfaces apart into meshes with vertices of their own."""

import numpy as np

from snakemesh.kernels.compiled import njit


@njit(cache=True, nogil=True)
def local_meshes(n_vertices, faces, starts):
    """Number the vertices of each group of faces from 0, in the order they are met.

    n_vertices: number of rows of the vertex array. faces: (M, 3) int32, rows of the vertex array.
    starts: (G + 1,) int64, where the faces of each of G groups begin, and M at the end.

    Returns the faces with local numbers, (M, 3) uint32; the row of every local vertex in the vertex
    array, group by group, (R,) int32; and where the rows of each group begin, (G + 1,) int64 with R
    at the end.
    """
    local = np.empty(faces.shape, dtype=np.uint32)
    number = np.empty(n_vertices, dtype=np.uint32)
    seen_by = np.full(n_vertices, -1, dtype=np.int64)
    rows = np.empty(3 * len(faces), dtype=np.int32)
    row_starts = np.zeros(len(starts), dtype=np.int64)
    n = 0
    for g in range(len(starts) - 1):
        for f in range(starts[g], starts[g + 1]):
            for i in range(3):
                v = faces[f, i]
                if seen_by[v] != g:
                    seen_by[v] = g
                    number[v] = n - row_starts[g]
                    rows[n] = v
                    n += 1
                local[f, i] = number[v]
        row_starts[g + 1] = n
    return local, rows[:n].copy(), row_starts
