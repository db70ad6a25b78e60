"""Faces that have been cut, put into the order of pieces: by owner, then by box."""

import numpy as np

from snakemesh.kernels.compiled import njit


@njit(cache=True, nogil=True, allocates=False)
def _insert(box, met, n):
    """Insert a box into the first n of `met`, which are ascending. Returns n + 1."""
    i = n
    while i > 0 and met[i - 1] > box:
        met[i] = met[i - 1]
        i -= 1
    met[i] = box
    return n + 1


@njit(cache=True, nogil=True)
def sorted_by_piece(
    faces, found, dense, starts, new_faces, new_found, new_dense, new_starts, n_boxes
):
    """Faces in boxes in the order of `Pieces`, and what else it holds of them.

    dense, new_dense: of how many dense faces each is made. starts, new_starts: where the faces of
    each owner begin.
    """
    n_kept = 0
    for box in found:
        n_kept += box >= 0
    for box in new_found:
        n_kept += box >= 0
    result = np.empty((n_kept, 3), dtype=np.int32)
    piece_starts, owners, boxes, sums = [np.int64(0)], [np.int32(0)], [np.int64(0)], [0.0]
    count = np.zeros(n_boxes, dtype=np.int64)
    parts = np.zeros(n_boxes, dtype=np.float64)
    met = np.empty(n_boxes, dtype=np.int64)  # the boxes of an owner, ascending
    at = np.int64(0)
    for o in range(len(starts) - 1):
        n_met = 0
        for f in range(starts[o], starts[o + 1]):
            if found[f] >= 0:
                if count[found[f]] == 0:
                    n_met = _insert(found[f], met, n_met)
                count[found[f]] += 1
                parts[found[f]] += dense[f]
        for f in range(new_starts[o], new_starts[o + 1]):
            if new_found[f] >= 0:
                if count[new_found[f]] == 0:
                    n_met = _insert(new_found[f], met, n_met)
                count[new_found[f]] += 1
                parts[new_found[f]] += new_dense[f]
        for box in met[:n_met]:
            owners.append(np.int32(o))
            boxes.append(np.int64(box))
            sums.append(parts[box])
            n = count[box]
            count[box] = at
            at += n
            parts[box] = 0
            piece_starts.append(at)
        for f in range(starts[o], starts[o + 1]):
            if found[f] >= 0:
                for i in range(3):
                    result[count[found[f]], i] = faces[f, i]
                count[found[f]] += 1
        for f in range(new_starts[o], new_starts[o + 1]):
            if new_found[f] >= 0:
                for i in range(3):
                    result[count[new_found[f]], i] = new_faces[f, i]
                count[new_found[f]] += 1
        for box in met[:n_met]:
            count[box] = 0
    return (
        result,
        np.array(piece_starts),
        np.array(owners)[1:],
        np.array(boxes)[1:],
        np.array(sums)[1:],
    )
