"""Draw triangles into a picture: a z-buffer on the CPU. It needs neither a display nor a GPU."""

from dataclasses import dataclass

import numpy as np

from snakemesh.compiled import njit


@dataclass(frozen=True)
class View:
    """How a picture shows space, without perspective.

    axes: rows are unit vectors x y z: to the right, down, and towards the viewer, float64 (3, 3).
    centre: what is in the middle, x y z in nm. nm_per_pixel: the scale. size: pixels, width and
    height.
    """

    axes: np.ndarray
    centre: np.ndarray
    nm_per_pixel: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3), x y z in nm, as pixels to the right and down, and pixels of nearness."""
        middle = np.array([self.size[0] / 2, self.size[1] / 2, 0])
        return np.asarray((points - self.centre) @ self.axes.T / self.nm_per_pixel + middle)


@dataclass(frozen=True)
class Canvas:
    """What is seen at each pixel: arrays of shape (height, width).

    owner: the number of the mesh, -1 where there is none. nearness: in pixels, -inf without a mesh.
    normal: (height, width, 3), in the axes of the view, towards the viewer. edge: pixels to the
    nearest edge of the triangle.
    """

    owner: np.ndarray
    nearness: np.ndarray
    normal: np.ndarray
    edge: np.ndarray


def new_canvas(size: tuple[int, int]) -> Canvas:
    """An empty canvas. size: width and height."""
    shape = (size[1], size[0])
    return Canvas(
        np.full(shape, -1, np.int32),
        np.full(shape, -np.inf, np.float32),
        np.zeros((*shape, 3), np.float32),
        np.full(shape, np.inf, np.float32),
    )


def draw(canvas: Canvas, view: View, owner: int, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Draw a mesh. vertices: (n, 3), x y z in nm. faces: (m, 3), outward."""
    points = view.project(vertices)
    normals = vertex_normals(points, faces)
    _fill(canvas.owner, canvas.nearness, canvas.normal, canvas.edge, owner, points, normals, faces)


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of vertices (n, 3): of their faces, weighted by area."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    # the axes of a view, right, down and near, are left-handed
    across = -np.cross(b - a, c - a)
    normals = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(points))
            for axis in range(3)
        ],
        axis=1,
    )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(lengths, 1e-30))


@njit(cache=True, allocates=False)
def _fill(owners, nearness, normal, edge, owner, points, normals, faces):
    """Fill the pixels whose centres lie in a triangle that is nearer than what is there."""
    height, width = owners.shape
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = points[i, 0], points[i, 1], points[i, 2]
        bx, by, bz = points[j, 0], points[j, 1], points[j, 2]
        cx, cy, cz = points[k, 0], points[k, 1], points[k, 2]
        double = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if double == 0:
            continue
        left = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0)
        right = min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        top = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0)
        bottom = min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        if left > right or top > bottom:
            continue
        # the height of the triangle over each side: what a barycentric coordinate of 1 is in pixels
        over_a = abs(double) / np.hypot(cx - bx, cy - by)
        over_b = abs(double) / np.hypot(ax - cx, ay - cy)
        over_c = abs(double) / np.hypot(bx - ax, by - ay)
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                of_a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / double
                of_b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / double
                of_c = 1 - of_a - of_b
                if of_a < 0 or of_b < 0 or of_c < 0:
                    continue
                near = of_a * az + of_b * bz + of_c * cz
                if near <= nearness[row, column]:
                    continue
                nearness[row, column] = near
                owners[row, column] = owner
                edge[row, column] = min(of_a * over_a, of_b * over_b, of_c * over_c)
                for axis in range(3):
                    normal[row, column, axis] = (
                        of_a * normals[i, axis] + of_b * normals[j, axis] + of_c * normals[k, axis]
                    )
