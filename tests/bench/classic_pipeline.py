"""The pipeline that ours is compared with: marching cubes, Taubin's filter, quadric simplification.

It needs zmesh and pyfqmr, which nothing else does. Positions are x y z.
"""

import importlib.util
from collections.abc import Iterator

import numpy as np

HOW_TO_INSTALL = "no comparison with the classic pipeline; it needs: pip install zmesh pyfqmr"
# Taubin's filter as it is mostly used, at every LOD alike.
SWEEPS = 5
SHRINK, EXPAND = 0.5, -0.53


def is_installed() -> bool:
    """Whether the packages that the pipeline needs are installed."""
    return all(importlib.util.find_spec(name) for name in ("zmesh", "pyfqmr"))


def classic_mesh(
    inside: np.ndarray, voxel_nm: np.ndarray, corner_nm: np.ndarray, n_faces: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (n, 3) in nm and faces (m, 3) of a body, simplified to about `n_faces` faces.

    The third array has the faces before this, because pyfqmr deletes small pieces. inside: z y x,
    bool. voxel_nm: x y z. corner_nm: x y z, of the first voxel.
    """
    vertices, faces = marching_cubes(inside)
    vertices = _smoothed(vertices, faces)
    return *simplified(corner_nm + vertices * voxel_nm, faces, n_faces), faces


def simplified(
    vertices: np.ndarray, faces: np.ndarray, n_faces: int
) -> tuple[np.ndarray, np.ndarray]:
    """A surface, vertices (n, 3) and faces (m, 3), simplified to about `n_faces` faces."""
    import pyfqmr

    simplifier = pyfqmr.Simplify()
    simplifier.setMesh(vertices, faces)
    simplifier.simplify_mesh(target_count=n_faces, verbose=False)
    points, kept, _ = simplifier.getMesh()
    return np.asarray(points, float), np.asarray(kept, np.int64).reshape(-1, 3)


def marching_cubes(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) in voxels from the corner of the array z y x, and faces (m, 3)."""
    ((_, vertices, faces),) = marching_cubes_of_all(inside.astype(np.uint32))
    return vertices, faces


def marching_cubes_of_all(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each label of an array z y x, with its vertices and faces as of `marching_cubes`."""
    import zmesh

    mesher = zmesh.Mesher((1, 1, 1))
    mesher.mesh(np.pad(labels, 1))
    for label in mesher.ids():
        mesh = mesher.get_mesh(label, normals=False)
        # for zmesh the middle of the first voxel, which is padding, is at 0
        yield int(label), mesh.vertices.astype(float) - 0.5, mesh.faces.astype(np.int64)


def _smoothed(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices after SWEEPS of Taubin's filter, in which all neighbours count the same."""
    begin, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    count = np.maximum(np.bincount(begin, minlength=len(vertices)), 1)[:, None]
    for step in (SHRINK, EXPAND) * SWEEPS:
        sums = [np.bincount(begin, vertices[end, i], len(vertices)) for i in range(3)]
        vertices = vertices + step * (np.stack(sums, axis=1) / count - vertices)
    return vertices
