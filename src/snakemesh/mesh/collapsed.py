"""Bodies of a few voxels that many sweeps of smoothing have shrunk to nothing.

After 20 sweeps, all vertices of a single voxel are in one place. No normal is left to push them
along, and the label would have no mesh. Such a body becomes a cube of its volume.

Everything is x y z. Volumes are in voxels (the geometric mean of a voxel's axes).
"""

import numpy as np

from snakemesh.mesh.enclosed import enclosed_moments
from snakemesh.mesh.pieces import Planes, cut_into_pieces

# What is larger does not shrink to nothing.
MOST_VOXELS = 30
# A body that holds less than this fraction of its volume, after this was restored, has collapsed.
LEAST = 0.5
# A cube from -1 to 1, seen from outside.
_CORNERS = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)])
_FACES = np.array(
    [
        [[0, 2, 3], [0, 3, 1]],
        [[4, 5, 7], [4, 7, 6]],
        [[0, 1, 5], [0, 5, 4]],
        [[2, 6, 7], [2, 7, 3]],
        [[0, 4, 6], [0, 6, 2]],
        [[1, 3, 7], [1, 7, 5]],
    ],
    dtype=np.int32,
).reshape(12, 3)


def replace_collapsed(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    boxes: np.ndarray,
    wanted: np.ndarray,
    step: np.ndarray,
    upper: np.ndarray,
    seams: np.ndarray,
    planes: Planes,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Put cubes in place of the bodies that have collapsed and that no seam cuts.

    The arguments are those of `restore_volume`, the box of each face, and the planes that cut the
    tile. Faces are ordered by owner, then box. Returns vertices, faces, owners and boxes, in the
    same order; the vertices of the cubes follow the others.
    """
    small = (wanted[:, 0] > 0) & (wanted[:, 0] <= MOST_VOXELS)
    mine = small[owners]
    some, of = faces[mine], owners[mine]
    found = enclosed_moments(
        vertices, some, of, step, upper, np.zeros(3, dtype=bool), np.zeros(len(wanted))
    )
    corners = vertices[some]
    at_seam = ((corners == 0) & seams[:, 0]) | ((corners == upper) & seams[:, 1])
    collapsed = np.zeros(len(wanted), dtype=bool)
    collapsed[of] = found[of, 0] < LEAST * wanted[of, 0]
    collapsed[of[at_seam.any(axis=(1, 2))]] = False
    rows = np.flatnonzero(collapsed)
    if len(rows) == 0:
        return vertices, faces, owners, boxes
    half = np.cbrt(wanted[rows, 0]) / 2
    middle = wanted[rows, 1:] / wanted[rows, :1]
    cubes = np.rint((middle[:, None] + half[:, None, None] * _CORNERS) / step)
    corners = np.clip(cubes, 0, upper).astype(np.int32).reshape(-1, 3)
    first = 8 * np.arange(len(rows), dtype=np.int32)
    cut = cut_into_pieces(
        corners,
        (first[:, None, None] + _FACES).reshape(-1, 3),
        12 * np.arange(len(rows) + 1),
        np.ones(12 * len(rows), dtype=np.float32),
        planes,
    )
    counts = np.diff(cut.starts)
    kept = ~collapsed[owners]
    faces = np.concatenate([faces[kept], cut.faces + np.int32(len(vertices))])
    owners = np.concatenate([owners[kept], np.repeat(rows[cut.owners].astype(np.int32), counts)])
    boxes = np.concatenate([boxes[kept], np.repeat(cut.boxes, counts)])
    order = np.lexsort((boxes, owners))
    vertices = np.concatenate([vertices, cut.vertices])
    return vertices, faces[order], owners[order], boxes[order]
