"""What is too small to be seen at an LOD: closed surfaces of less than a voxel of its level.

They are specks of a label, or cavities in one. A closed surface goes only if it lies inside an
octant: what touches a face of the octant may go on beyond it.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.roots import root_of

# A closed surface that holds less than this many voxels of the level goes.
LEAST_VOXELS = 1.0


def without_specks(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    step: np.ndarray,
    widths: np.ndarray,
    n_owners: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Which faces stay, (M,) bool, and the moments of what goes, (n_owners, 4) float64.

    vertices: (N, 3) int32, in one octant, from its lower corner. faces: (M, 3) int32. owners: (M,)
    int32. step: (3,) length of a step on each axis, in voxels of the level. widths: (3,) int64, of
    the octant, in steps. The moments are volume and first moments about the lower corner of the
    octant; those of a cavity are negative.
    """
    length = np.asarray(step, np.float64)
    stays, gone = _without_specks(vertices, faces, owners, length, widths, n_owners, LEAST_VOXELS)
    return stays, gone


@njit(cache=True, nogil=True)
def _without_specks(vertices, faces, owners, step, widths, n_owners, least):
    # the root of a component is its smallest vertex
    root = np.arange(len(vertices))
    for f in range(len(faces)):
        for i in range(2):
            a, b = root_of(root, faces[f, i]), root_of(root, faces[f, i + 1])
            root[max(a, b)] = min(a, b)
    goes_on = np.zeros(len(vertices), dtype=np.bool_)
    for v in range(len(vertices)):
        root[v] = root[root[v]]  # that of a smaller vertex, which is done
        for j in range(3):
            goes_on[root[v]] |= vertices[v, j] == 0 or vertices[v, j] == widths[j]
    moments = np.zeros((len(vertices), 4), dtype=np.float64)
    for f in range(len(faces)):
        component = root[faces[f, 0]]
        if not goes_on[component]:
            _add(moments[component], vertices, faces[f], step)
    stays = np.ones(len(faces), dtype=np.bool_)
    gone = np.zeros((n_owners, 4), dtype=np.float64)
    for f in range(len(faces)):
        component = root[faces[f, 0]]
        if not goes_on[component] and abs(moments[component, 0]) < least:
            stays[f] = False
            _add(gone[owners[f]], vertices, faces[f], step)
    return stays, gone


@njit(cache=True, nogil=True, allocates=False)
def _add(total, vertices, face, step):
    """Add volume and first moments of the tetrahedron of a face and the lower corner."""
    ax, ay, az = _at(vertices, face[0], step)
    bx, by, bz = _at(vertices, face[1], step)
    cx, cy, cz = _at(vertices, face[2], step)
    volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    volume /= 6.0
    total[0] += volume
    total[1] += volume * (ax + bx + cx) / 4.0
    total[2] += volume * (ay + by + cy) / 4.0
    total[3] += volume * (az + bz + cz) / 4.0


@njit(cache=True, nogil=True, allocates=False)
def _at(vertices, v, step):
    """The position of a vertex, in voxels."""
    return vertices[v, 0] * step[0], vertices[v, 1] * step[1], vertices[v, 2] * step[2]
