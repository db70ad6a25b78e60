"""From an array of labels to dense, smoothed surfaces in integers.

Positions are int32, x y z, from the lower corner of the tile, in 1/4096 of a voxel (`VOXEL_STEPS`).

Two arrays that overlap give the same integers, wherever both see enough of the surroundings
(`job_records.halo_voxels`). There are two reasons. serra-mesh places vertices on exact multiples of
1/256 voxel, and these do not depend on where the array starts. The smoothing then works on
differences of integers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import serra_mesh
from numba import njit

VOXEL_STEPS = 4096
# Taubin's filter (Taubin 1995, "A signal processing approach to fair surface design"): a pass that
# shrinks, then one that expands a little more, with 1 / SHRINK + 1 / EXPAND = PASS_BAND.
PASS_BAND = 0.1
SHRINK = 0.63
EXPAND = 1.0 / (PASS_BAND - 1.0 / SHRINK)
# Surfaces are handed on in batches of at least so many faces, which bounds their memory.
BATCH_FACES = 3_000_000


# A label, and its vertices (N, 3) float32 and faces (M, 3) as serra-mesh gives them.
_Mesh = tuple[int, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Surfaces:
    """Dense surfaces of L labels, one after another.

    vertices: (N, 3) int32, x y z, in 1/4096 voxel. faces: (M, 3) int32, rows of `vertices`.
    labels: (L,) uint64, ascending. vertex_starts, face_starts: (L + 1,) int64; label i has the
    vertices and the faces from its own start up to the next one.
    """

    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    vertex_starts: np.ndarray
    face_starts: np.ndarray


def extract_surfaces(
    labels: np.ndarray, origin: tuple[int, int, int], n_smoothing_iter: int
) -> Iterator[Surfaces]:
    """Closed, smoothed surfaces of every label of an array, in batches of some million faces.

    labels: z y x, unsigned, background 0; what lies beyond the array is background.
    origin: z y x, a voxel of the array; positions are measured from its lower corner.
    n_smoothing_iter: sweeps of `smooth`.
    """
    # one thread: Snakemake runs the jobs side by side
    mesher = serra_mesh.Mesher(axis_order="ZYX", threads=1)
    mesher.mesh(labels, close=True)
    # in the frame of serra-mesh, voxel i spans i - 0.5 to i + 0.5
    shift = np.array([(0.5 - o) * VOXEL_STEPS for o in reversed(origin)], dtype=np.float32)
    batch: list[_Mesh] = []
    n_faces = 0
    for label in mesher.ids().tolist():
        mesh = mesher.get(label)
        mesher.erase(label)
        batch.append((label, mesh.vertices, mesh.faces))
        n_faces += len(mesh.faces)
        if n_faces >= BATCH_FACES:
            yield _joined(batch, shift, n_smoothing_iter)
            batch, n_faces = [], 0
    if batch:
        yield _joined(batch, shift, n_smoothing_iter)


def _joined(batch: list[_Mesh], shift: np.ndarray, n_smoothing_iter: int) -> Surfaces:
    """Join the meshes of a batch into one `Surfaces` and smooth it.

    shift: (3,) float32, x y z, in 1/4096 voxel, from the frame of serra-mesh to that of the tile.
    """
    starts = np.zeros((2, len(batch) + 1), dtype=np.int64)
    for i, (_, vertices, faces) in enumerate(batch):
        starts[:, i + 1] = starts[:, i] + (len(vertices), len(faces))
    all_vertices = np.empty((starts[0, -1], 3), dtype=np.int32)
    all_faces = np.empty((starts[1, -1], 3), dtype=np.int32)
    for i, (_, vertices, faces) in enumerate(batch):
        v, f = slice(*starts[0, i : i + 2]), slice(*starts[1, i : i + 2])
        all_vertices[v] = vertices * np.float32(VOXEL_STEPS) + shift
        all_faces[f] = faces
        all_faces[f] += starts[0, i]
    smooth(all_vertices, all_faces, n_smoothing_iter)
    labels = np.array([b[0] for b in batch], dtype=np.uint64)
    return Surfaces(all_vertices, all_faces, labels, starts[0], starts[1])


def smooth(vertices: np.ndarray, faces: np.ndarray, n_iter: int) -> None:
    """Smooth closed surfaces in place by Taubin's filter: `n_iter` times shrink, then expand.

    vertices: (N, 3) int32. faces: (M, 3) int32. Each pass sums the differences neighbour - self,
    which is exact in integers, and rounds once. So the result does not depend on where the
    coordinates start.
    """
    if n_iter == 0:
        return
    weights = _neighbour_weights(len(vertices), faces)
    for _ in range(n_iter):
        _smoothing_pass(vertices, faces, weights, SHRINK)
        _smoothing_pass(vertices, faces, weights, EXPAND)


@njit(cache=True, nogil=True)
def _neighbour_weights(n_vertices, faces):
    """1 / (number of terms in the sum of each vertex in `_smoothing_pass`), (N,) float64.

    Each face adds two terms to the sums of its corners, one for each neighbour. An edge of a closed
    surface has two faces, so every neighbour counts twice.
    """
    count = np.zeros(n_vertices, dtype=np.int32)
    for f in range(len(faces)):
        for i in range(3):
            count[faces[f, i]] += 2
    weights = np.zeros(n_vertices, dtype=np.float64)
    for v in range(n_vertices):
        if count[v] > 0:
            weights[v] = 1.0 / count[v]
    return weights


@njit(cache=True, nogil=True)
def _smoothing_pass(vertices, faces, weights, step):
    """Move every vertex by `step` times the mean difference to its neighbours, in place.

    step: SHRINK or EXPAND. weights: from `_neighbour_weights`.
    """
    total = np.zeros(vertices.shape, dtype=np.int32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        for i in range(3):
            pa, pb, pc = vertices[a, i], vertices[b, i], vertices[c, i]
            total[a, i] += pb + pc - 2 * pa
            total[b, i] += pa + pc - 2 * pb
            total[c, i] += pa + pb - 2 * pc
    for v in range(len(vertices)):
        for i in range(3):
            vertices[v, i] += int(np.floor(step * (total[v, i] * weights[v]) + 0.5))
