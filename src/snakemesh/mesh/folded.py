"""Faces that add nothing to a surface: folded to a line, or in pairs back to back."""

import numpy as np

from snakemesh.kernels.compiled import njit


@njit(cache=True, nogil=True)
def without_folded(faces):
    """Which faces stay, (M,) bool, of faces given by the places of their corners, (M, 3) int32.

    A face with two corners in one place goes, and so do two faces in one place, back to back. The
    edges of such a face, or of such a pair, cancel out, so nothing opens without them. Rounding
    leaves them where several planes meet, and an edge of a pair would have four faces.
    """
    stays = np.ones(len(faces), dtype=np.bool_)
    n_places = 0
    for f in range(len(faces)):
        for i in range(3):
            n_places = max(n_places, faces[f, i] + 1)
    # lists of the faces by their first place
    first = np.full(n_places, -1, dtype=np.int32)
    following = np.empty(len(faces), dtype=np.int32)
    seconds = np.empty((len(faces), 2), dtype=np.int32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if a == b or b == c or c == a:
            stays[f] = False
            continue
        while a > b or a > c:
            a, b, c = b, c, a
        seconds[f, 0], seconds[f, 1] = b, c
        other = first[a]
        while other >= 0 and not (
            stays[other] and seconds[other, 0] == c and seconds[other, 1] == b
        ):
            other = following[other]
        if other >= 0:
            stays[f] = stays[other] = False
        else:
            following[f] = first[a]
            first[a] = f
    return stays
