"""The pieces of a mesh: what hangs together, and how much each piece holds."""

import numpy as np


def groups(n: int, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The group of each of n things, (n,) int64: the lowest number of a thing in the group.

    begin, end: (m,) int64, the two things of each link. Links are undirected.

    Each round joins every group to its smallest neighbour, and then lets all things point at the
    smallest of their group.
    """
    root = np.arange(n)
    begin, end = begin.astype(np.int64), end.astype(np.int64)
    while True:
        begin, end = root[begin], root[end]
        apart = begin != end
        if not apart.any():
            return root
        begin, end = begin[apart], end[apart]
        np.minimum.at(root, np.maximum(begin, end), np.minimum(begin, end))
        while (root[root] != root).any():
            root = root[root]


def face_groups(faces: np.ndarray) -> np.ndarray:
    """The group of each face, (m,) int64: faces that have an edge in common hang together.

    faces: (m, 3), rows of vertices that are joined. A vertex in common does not count, because two
    surfaces may touch in a point.
    """
    begin, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    key = np.minimum(begin, end) * (int(faces.max(initial=0)) + 1) + np.maximum(begin, end)
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(np.diff(key[order]) == 0)
    return groups(len(faces), order[same] // 3, order[same + 1] // 3)


def piece_volumes(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The volume inside each piece of a closed surface, (n,), by the divergence theorem.

    points: (k, 3). faces: (m, 3), rows of points. The surface of a cavity has a negative volume and
    is no piece of its own: it is left out, and the piece around it counts as if it were full.
    """
    first, piece = np.unique(face_groups(faces), return_inverse=True)
    # near its own vertices, a small piece far from others is not lost in rounding
    near = points[faces[first, 0]][piece]
    a, b, c = (points[faces[:, i]] - near for i in range(3))
    volumes = np.bincount(piece, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)
    found: np.ndarray = volumes[volumes > 0]
    return found
