"""Faces that have been cut, put into the order of pieces: by owner, then by box.

A counting sort for each owner: count the faces in each box, give each box its rows in the result,
and write each face to the next row of its box. The faces of an owner come in two lists, those that
no plane crossed and those that were cut. In a piece the first list comes first.
"""

import numpy as np

from snakemesh.kernels.compiled import njit


@njit(cache=True, nogil=True)
def sorted_by_piece(
    faces, found, dense, starts, new_faces, new_found, new_dense, new_starts, n_boxes
):
    """The faces that lie in boxes, sorted by owner, then by box.

    faces: (M, 3) int32. found: (M,) int32, the box of each face, less than 0 if it is in none.
    dense: (M,) float32, the number of dense faces that each face stands for. starts: (O + 1,)
    int64, where the faces of each of O owners begin. new_faces, new_found, new_dense, new_starts:
    the same of faces that were cut. n_boxes: number of boxes.

    Returns, as in `Pieces`, the sorted faces (K, 3) int32, where those of each piece begin
    (P + 1,) int64, the owner (P,) int32 and the box (P,) int64 of each piece, and the sum of its
    dense faces (P,) float64.
    """
    result = np.empty((_n_in_boxes(found) + _n_in_boxes(new_found), 3), dtype=np.int32)
    piece_starts, owners, boxes, sums = [np.int64(0)], [np.int32(0)], [np.int64(0)], [0.0]
    # of each box, for one owner: the number of its faces, the sum of their dense faces, and the row
    # of the next face
    count = np.zeros(n_boxes, dtype=np.int64)
    dense_sum = np.zeros(n_boxes, dtype=np.float64)
    next_row = np.empty(n_boxes, dtype=np.int64)
    seen = np.empty(n_boxes, dtype=np.int64)  # the boxes with faces of the owner, ascending
    n_rows = np.int64(0)
    for o in range(len(starts) - 1):
        mine, mine_new = (starts[o], starts[o + 1]), (new_starts[o], new_starts[o + 1])
        n_seen = _count(found, dense, mine, count, dense_sum, seen, 0)
        n_seen = _count(new_found, new_dense, mine_new, count, dense_sum, seen, n_seen)
        for box in seen[:n_seen]:
            next_row[box] = n_rows
            n_rows += count[box]
            owners.append(np.int32(o))
            boxes.append(np.int64(box))
            sums.append(dense_sum[box])
            piece_starts.append(n_rows)
            count[box], dense_sum[box] = 0, 0
        _write(faces, found, mine, next_row, result)
        _write(new_faces, new_found, mine_new, next_row, result)
    return (
        result,
        np.array(piece_starts),
        np.array(owners)[1:],
        np.array(boxes)[1:],
        np.array(sums)[1:],
    )


@njit(cache=True, nogil=True, allocates=False)
def _n_in_boxes(found):
    """The number of faces that are in a box."""
    n = 0
    for box in found:
        n += box >= 0
    return n


@njit(cache=True, nogil=True, allocates=False)
def _count(found, dense, rows, count, dense_sum, seen, n_seen):
    """Count the faces from rows[0] up to rows[1] by box, and add up their dense faces.

    Boxes without faces so far are inserted into the first n_seen of `seen`. Returns the new n_seen.
    """
    for f in range(rows[0], rows[1]):
        box = found[f]
        if box >= 0:
            if count[box] == 0:
                n_seen = _insert(box, seen, n_seen)
            count[box] += 1
            dense_sum[box] += dense[f]
    return n_seen


@njit(cache=True, nogil=True, allocates=False)
def _insert(box, seen, n):
    """Insert a box into the first n of `seen`, which are ascending. Returns n + 1."""
    i = n
    while i > 0 and seen[i - 1] > box:
        seen[i] = seen[i - 1]
        i -= 1
    seen[i] = box
    return n + 1


@njit(cache=True, nogil=True, allocates=False)
def _write(faces, found, rows, next_row, result):
    """Write each face from rows[0] up to rows[1] to the next row of its box."""
    for f in range(rows[0], rows[1]):
        box = found[f]
        if box >= 0:
            for i in range(3):
                result[next_row[box], i] = faces[f, i]
            next_row[box] += 1
