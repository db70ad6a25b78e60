"""From simplified surfaces to Draco-encoded fragments, one per label and cell of the octree.

Everything is x y z. Positions are steps of the lattice (see `lattice`), from the lower corner of
the tile until fragments are encoded, then from the lower corner of the fragment's cell.

Format: neuroglancer/src/datasource/precomputed/meshes.md, "multi-resolution mesh format".
"""

from itertools import pairwise

import DracoPy
import numpy as np

from snakemesh.forks import side_by_side
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
# Each process encodes this many spans of fragments, so that all have about as much to do.
_SPANS = 16


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
    processes: int = 1,
) -> tuple[np.ndarray, list[bytes]]:
    """The fragments of a tile, one for each label and cell: their records and their Draco bytes.

    vertices: (N, 3) int32. faces: (M, 3) int32, ordered by owner, then box. owners: (M,) int32,
    rows of labels. boxes: (M,) int64, which box of the tile each face is in, as `pieces.Planes`
    numbers them. squares: (M,) float64, the mean square error of the surface at each face, in nm^2.
    labels: (L,) uint64. first_cell: (3,) first cell of the tile in the octree.
    n_cells: (3,) cells of the tile. step_nm: (3,) length of a step in nm. processes: at most this
    many encode fragments.

    Returns the records (dtype FRAGMENT; their `offset` is not set) and the Draco bytes of each, by
    owner, then by cell (z, y, x). A fragment is left out if `without_folded` keeps no face of it.
    """
    cells = boxes // 8
    changed = (np.diff(owners, prepend=-1) != 0) | (np.diff(cells, prepend=-1) != 0)
    starts = np.append(np.flatnonzero(changed), len(faces))
    local, rows, row_starts = local_meshes(len(vertices), faces, starts)
    step_nm = np.asarray(step_nm, dtype=np.float64)
    means = mean_by_area(vertices, faces, starts, squares, step_nm)
    first = starts[:-1]
    corners = np.column_stack(np.unravel_index(cells[first], n_cells, "F")).astype(np.int32)
    records = np.zeros(len(first), dtype=FRAGMENT)
    records["label"] = labels[owners[first]]
    records["cell"] = first_cell + corners
    records["square"] = means
    points = vertices[rows] - np.repeat(corners * np.int32(CELL_STEPS), np.diff(row_starts), 0)
    origins = records["cell"].astype(np.float64) * CELL_STEPS
    whole, bounds, sums = _measured(points, row_starts, local, starts, origins, step_nm)
    records["faces"], records["octants"] = whole.T
    records["lower"], records["upper"] = bounds[:, 0], bounds[:, 1]
    records["volume"], records["area"] = sums.T

    def encoded(span: tuple[int, int]) -> list[bytes]:
        return [
            # points are int32: Neuroglancer's decoder takes no other integer type
            DracoPy.encode(
                points[row_starts[i] : row_starts[i + 1]],
                local[starts[i] : starts[i] + records["faces"][i]],
                compression_level=DRACO_LEVEL,
            )
            for i in range(*span)
            if records["faces"][i] > 0
        ]

    ends = np.unique(np.linspace(0, len(records), _SPANS * processes + 1).astype(int)).tolist()
    blobs = [b for some in side_by_side(encoded, list(pairwise(ends)), processes) for b in some]
    records = records[records["faces"] > 0]
    records["size"] = [len(blob) for blob in blobs]
    return records, blobs


@njit(cache=True, nogil=True)
def _measured(points, row_starts, faces, starts, origins, step_nm):
    """Move the faces that `without_folded` keeps to the front of each fragment, and measure them.

    points: (R, 3) int32, from the lower corner of the cell. faces: (M, 3) uint32, rows of the
    points of their fragment. row_starts, starts: (F + 1,), where those of each fragment begin.
    origins: (F, 3) float64, the lower corner of the cell in the octree, in steps.

    Returns the number of faces and the octants, (F, 2) int64; the bounds, (F, 2, 3) int32; and the
    volume and area, (F, 2) float64.
    """
    whole = np.zeros((len(origins), 2), dtype=np.int64)
    bounds = np.empty((len(origins), 2, 3), dtype=np.int32)
    sums = np.zeros((len(origins), 2))
    for i in range(len(origins)):
        mine = points[row_starts[i] : row_starts[i + 1]]
        mesh = faces[starts[i] : starts[i + 1]]
        n = _put_first(mesh, without_folded(_in_places(mesh, places(mine))))
        mesh = mesh[:n]
        whole[i, 0], whole[i, 1] = n, _octants(mine, mesh)
        _bounds(mine, mesh, bounds[i])
        sums[i, 0], sums[i, 1] = _volume_and_area(mine, mesh, origins[i], step_nm)
    return whole, bounds, sums


@njit(cache=True, nogil=True)
def _in_places(faces, number):
    """Faces by the places of their corners, (M, 3) int32. number: (N,), of each vertex's place."""
    found = np.empty(faces.shape, dtype=np.int32)
    for f in range(len(faces)):
        for i in range(3):
            found[f, i] = number[faces[f, i]]
    return found


@njit(cache=True, nogil=True, allocates=False)
def _put_first(faces, stays):
    """Move the faces that stay to the front. Returns how many these are."""
    n = 0
    for f in range(len(faces)):
        if stays[f]:
            for i in range(3):
                faces[n, i] = faces[f, i]
            n += 1
    return n


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


@njit(cache=True, nogil=True, allocates=False)
def _bounds(points, faces, found):
    """Write the smallest and the largest position of the faces' corners: (2, 3) int32."""
    found[0], found[1] = CELL_STEPS, 0
    for f in range(len(faces)):
        for j in range(3):
            for i in range(3):
                found[0, i] = min(found[0, i], points[faces[f, j], i])
                found[1, i] = max(found[1, i], points[faces[f, j], i])


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
