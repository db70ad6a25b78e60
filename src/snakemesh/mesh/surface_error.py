"""How far fragments are from the surface of the voxels of s0, as an estimate.

The estimate is a mean square, because squares of independent errors add up: that of the dense
surface, and that of simplification. `multires.lod_scales` makes of it when the viewer shows an LOD.
docs/measurements.md compares it with true distances.
"""

import numpy as np

from snakemesh.kernels.compiled import njit

# How far the true surface is from the dense one, in voxels of the level, root mean square: at LOD 0
# smoothing and merging move it; at a coarser LOD the voxels of the level are a sample of those of
# s0, and thin parts are missing. If the numbers were larger, LODs would appear farther off.
NET_ERROR, LEVEL_ERROR = 0.17, 0.28
# The mean square distance of a simplified surface as a part of that of its vertices (`simplify`).
# Vertices lie on one side of the dense surface and the middles of faces on the other.
BETWEEN_VERTICES = 0.25


def square_of_level(lod: int) -> float:
    """The mean square error of a dense surface, in voxels of the level that it is made from."""
    error = LEVEL_ERROR if lod > 0 else NET_ERROR
    return error**2


def with_simplification(squares: np.ndarray | float, moved: np.ndarray) -> np.ndarray:
    """Mean square errors of pieces, and what simplification adds to them, (P,) float64.

    moved: how far simplification has moved each piece, as `simplify` gives it.
    """
    return np.asarray(squares + BETWEEN_VERTICES * moved)


def of_faces(
    owners: np.ndarray,
    boxes: np.ndarray,
    piece_owners: np.ndarray,
    piece_boxes: np.ndarray,
    squares: np.ndarray,
) -> np.ndarray:
    """The mean square error of the piece that each face is in: (M,) float64.

    owners, boxes: of the faces, (M,). piece_owners, piece_boxes, squares: of the pieces, (P,). A
    face where no piece is, of a cube in place of a collapsed body, gets 0.
    """
    n_boxes = int(max(boxes.max(initial=0), piece_boxes.max(initial=0))) + 1
    keys = piece_owners.astype(np.int64) * n_boxes + piece_boxes
    order = np.argsort(keys)
    face_keys = owners.astype(np.int64) * n_boxes + boxes
    at = np.minimum(np.searchsorted(keys[order], face_keys), len(keys) - 1)
    found = order[at]
    return np.where(keys[found] == face_keys, squares[found], 0.0)


@njit(cache=True, nogil=True)
def mean_by_area(vertices, faces, starts, squares, step_nm):
    """The mean of `squares` over each fragment's area: (fragments,) float64.

    starts: (fragments + 1,), where the faces of each fragment begin. squares: (M,) float64, of the
    faces. step_nm: (3,) length of a step of the vertices.
    """
    means = np.zeros(len(starts) - 1)
    for i in range(len(means)):
        total = weighted = 0.0
        for f in range(starts[i], starts[i + 1]):
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            ux, uy, uz = _edge(vertices, a, b, step_nm)
            wx, wy, wz = _edge(vertices, a, c, step_nm)
            x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
            area = np.sqrt(x * x + y * y + z * z)
            total += area
            weighted += area * squares[f]
        if total > 0:
            means[i] = weighted / total
    return means


@njit(cache=True, nogil=True, allocates=False)
def _edge(vertices, a, b, step_nm):
    """The way from vertex a to vertex b, in nm."""
    return (
        (vertices[b, 0] - vertices[a, 0]) * step_nm[0],
        (vertices[b, 1] - vertices[a, 1]) * step_nm[1],
        (vertices[b, 2] - vertices[a, 2]) * step_nm[2],
    )
