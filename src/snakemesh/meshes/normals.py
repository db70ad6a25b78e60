"""Normals of vertices, for shading."""

import numpy as np


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The outward unit normals of vertices, (n, 3): means over their faces, weighted by area.

    vertices: (n, 3). faces: (m, 3), corners counterclockwise seen from outside.
    """
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    doubled = np.cross(b - a, c - a)
    weights = (np.repeat(doubled[:, axis], 3) for axis in range(3))
    corners, count = faces.ravel(), len(vertices)
    sums = np.stack([np.bincount(corners, weight, count) for weight in weights], axis=1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    # where faces cancel out, any direction is as good as another
    return np.where(length > 0, sums / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])
