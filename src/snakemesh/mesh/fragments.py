"""From simplified surfaces to Draco-encoded fragments, one per label and cell of the octree.

Everything is x y z. Positions are steps of the lattice (see `lattice`), from the lower corner of
the tile until fragments are encoded, then from the lower corner of the fragment's cell.

Format: neuroglancer/src/datasource/precomputed/meshes.md, "multi-resolution mesh format".
"""

from itertools import pairwise

import DracoPy
import numpy as np

from snakemesh.fragments.container import FRAGMENT
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.folded import without_folded
from snakemesh.mesh.places import places
from snakemesh.mesh.submeshes import local_meshes
from snakemesh.mesh.surface_error import mean_by_area

# 1.7 bytes a face on pinky40, a public dense segmentation of mouse cortex. Higher levels take twice
# the time and save nothing.
DRACO_LEVEL = 7


def encode_fragments(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    boxes: np.ndarray,
    squares: np.ndarray,
    labels: np.ndarray,
    first_cell: np.ndarray,
    n_cells: np.ndarray,
    step_nm: np.ndarray,
) -> tuple[np.ndarray, list[bytes]]:
    """The fragments of a tile, one for each label and cell: their records and their Draco bytes.

    vertices: (N, 3) int32. faces: (M, 3) int32, ordered by owner, then box. owners: (M,) int32,
    rows of labels. boxes: (M,) int64, which box of the tile each face is in, as `pieces.Planes`
    numbers them. squares: (M,) float64, the mean square error of the surface at each face, in nm^2.
    labels: (L,) uint64. first_cell: (3,) first cell of the tile in the octree.
    n_cells: (3,) cells of the tile. step_nm: (3,) length of a step in nm.

    Returns the records (dtype FRAGMENT; their `offset` is not set) and the Draco bytes of each, by
    owner, then by cell (z, y, x). A fragment is left out if `without_folded` keeps no face of it.
    """
    cells = boxes // 8
    changed = (np.diff(owners, prepend=-1) != 0) | (np.diff(cells, prepend=-1) != 0)
    starts = np.append(np.flatnonzero(changed), len(faces))
    local, rows, row_starts = local_meshes(len(vertices), faces, starts)
    means = mean_by_area(vertices, faces, starts, squares, np.asarray(step_nm, dtype=np.float64))
    records = np.zeros(len(starts) - 1, dtype=FRAGMENT)
    blobs: list[bytes] = []
    for i, (begin, end) in enumerate(pairwise(starts)):
        cell = np.array(np.unravel_index(cells[begin], n_cells, order="F"))
        corner = (cell * CELL_STEPS).astype(np.int32)
        points = vertices[rows[row_starts[i] : row_starts[i + 1]]] - corner
        mesh = local[begin:end]
        mesh = mesh[without_folded(places(points)[mesh].view(np.int32))]
        if len(mesh) == 0:
            continue
        # points are int32: Neuroglancer's decoder takes no other integer type
        blobs.append(DracoPy.encode(points, mesh, compression_level=DRACO_LEVEL))
        record = records[i]
        record["label"] = labels[owners[begin]]
        record["cell"] = first_cell + cell
        record["square"] = means[i]
        record["size"] = len(blobs[-1])
        _measure(record, points, mesh, step_nm)
    return records[records["faces"] > 0], blobs


def _measure(record: np.void, points: np.ndarray, faces: np.ndarray, step_nm: np.ndarray) -> None:
    """Write the measures of a fragment into its record, whose `cell` is set.

    points: (N, 3) int32, from the lower corner of the cell. faces: (M, 3).
    """
    offset = record["cell"].astype(np.float64) * CELL_STEPS
    record["faces"] = len(faces)
    record["octants"] = _octants(points, faces)
    record["lower"], record["upper"] = _bounds(points, faces)
    record["volume"], record["area"] = _volume_and_area(points, faces, offset, step_nm)


@njit(cache=True, nogil=True, allocates=False)
def _octants(points, faces):
    """Which octants of the cell hold a face: bit x + 2 y + 4 z for octant x y z.

    A face counts to the octant that Neuroglancer's decoder puts it into (neuroglancer_draco.cc):
    the upper half of an axis if any corner lies above OCTANT_PLANE.
    """
    found = 0
    for f in range(len(faces)):
        octant = 0
        for i in range(3):
            for j in range(3):
                if points[faces[f, j], i] > OCTANT_PLANE:
                    octant |= 1 << i
        found |= 1 << octant
    return found


@njit(cache=True, nogil=True)
def _bounds(points, faces):
    """The smallest and the largest position of the faces' corners, (3,) int32 each."""
    lower = np.full(3, CELL_STEPS, dtype=np.int32)
    upper = np.zeros(3, dtype=np.int32)
    for f in range(len(faces)):
        for j in range(3):
            for i in range(3):
                lower[i] = min(lower[i], points[faces[f, j], i])
                upper[i] = max(upper[i], points[faces[f, j], i])
    return lower, upper


@njit(cache=True, nogil=True, allocates=False)
def _volume_and_area(points, faces, offset, step_nm):
    """Signed volume under the faces in nm^3, and their area in nm^2.

    The volume is that between the faces and the origin of the octree (divergence theorem). Both add
    up over the fragments of a label: the volumes to the volume that its surface encloses.
    offset: (3,) float64, the lower corner of the cell in the octree, in steps.
    """
    volume = 0.0
    area = 0.0
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = _at(points, a, offset, step_nm)
        bx, by, bz = _at(points, b, offset, step_nm)
        cx, cy, cz = _at(points, c, offset, step_nm)
        nx = (by - ay) * (cz - az) - (bz - az) * (cy - ay)
        ny = (bz - az) * (cx - ax) - (bx - ax) * (cz - az)
        nz = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        area += 0.5 * np.sqrt(nx * nx + ny * ny + nz * nz)
        volume += (ax * nx + ay * ny + az * nz) / 6.0
    return volume, area


@njit(cache=True, nogil=True, allocates=False)
def _at(points, v, offset, step_nm):
    """Position of vertex v in nm, from the origin of the octree."""
    return (
        (points[v, 0] + offset[0]) * step_nm[0],
        (points[v, 1] + offset[1]) * step_nm[1],
        (points[v, 2] + offset[2]) * step_nm[2],
    )
