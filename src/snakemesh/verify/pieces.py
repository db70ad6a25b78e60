"""The pieces of a mesh: what hangs together, and how much each piece holds."""

import numpy as np

from snakemesh.verify.checks import Edges


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


def piece_volumes(points: np.ndarray, faces: np.ndarray, edges: Edges) -> np.ndarray:
    """The volume inside each piece of a closed surface, (n,), by the divergence theorem.

    points: (k, 3). faces: (m, 3), rows of points. edges: of the faces. Faces with an edge in common
    are one piece; a vertex in common does not count, because two surfaces may touch in a point. The
    surface of a cavity has a negative volume and is no piece of its own: it is left out, and the
    piece around it counts as if it were full.
    """
    goes_on = np.ones(len(edges.faces), bool)
    goes_on[edges.starts] = False
    after = np.flatnonzero(goes_on)
    root = groups(len(faces), edges.faces[after - 1], edges.faces[after])
    first, piece = np.unique(root, return_inverse=True)
    # near its own vertices, a small piece far from others is not lost in rounding
    near = points[faces[first, 0]][piece]
    a, b, c = (points[faces[:, i]] - near for i in range(3))
    volumes = np.bincount(piece, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)
    found: np.ndarray = volumes[volumes > 0]
    return found
