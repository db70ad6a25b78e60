"""How far one surface is from another: exact distances from points to triangles.

Positions are in any unit, x y z.
"""

import numpy as np
import trimesh
from scipy.spatial import cKDTree

# Points stand for the triangles in the search, at most so far apart along a side of a triangle.
# Distances are measured to the triangles of so many points that are nearest.
SPACING = 1.0
NEAREST = 16


def spread(points: np.ndarray, faces: np.ndarray, number: int) -> np.ndarray:
    """Points (number, 3) spread evenly over the area of a surface, the same ones in every run.

    points: (n, 3). faces: (m, 3), rows of points.
    """
    random = np.random.default_rng(0)
    area = np.cumsum(trimesh.triangles.area(points[faces]))
    chosen = np.searchsorted(area, (np.arange(number) + 0.5) / number * area[-1])
    a, b = random.random((2, number))
    a, b = np.where(a + b > 1, (1 - a, 1 - b), (a, b))
    weights = np.stack([1 - a - b, a, b], axis=1)
    return np.einsum("ni,nij->nj", weights, points[faces[chosen]])


def distances(samples: np.ndarray, points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The distance (k,) of each sample (k, 3) to the nearest triangle of a surface.

    points: (n, 3). faces: (m, 3), rows of points. Triangles are searched by points on them, so a
    distance is too large where none of the NEAREST such points lies on the nearest triangle.
    """
    triangles = points[faces]
    marks, owners = _marked(triangles)
    _, near = cKDTree(marks).query(samples, min(NEAREST, len(marks)))
    candidates = owners[near.reshape(len(samples), -1)]
    found = np.full(len(samples), np.inf)
    for column in candidates.T:
        nearest = trimesh.triangles.closest_point(triangles[column], samples)
        found = np.minimum(found, np.linalg.norm(nearest - samples, axis=1))
    return found


def _marked(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (k, 3) that cover triangles (m, 3, 3), and the triangle of each, (k,)."""
    sides = np.linalg.norm(triangles - np.roll(triangles, -1, axis=1), axis=2).max(axis=1)
    steps = np.maximum(np.ceil(sides / SPACING), 1).astype(int)
    marks, owners = [], []
    for n in np.unique(steps):
        rows = np.flatnonzero(steps == n)
        i, j = np.mgrid[: n + 1, : n + 1].reshape(2, -1)
        weights = np.stack([n - i - j, i, j], axis=1)[i + j <= n] / n
        marks.append(np.einsum("wi,tij->twj", weights, triangles[rows]).reshape(-1, 3))
        owners.append(np.repeat(rows, len(weights)))
    return np.concatenate(marks), np.concatenate(owners)
