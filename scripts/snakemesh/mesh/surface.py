"""From a box of labels to dense, smoothed surfaces in integers.

Positions are int32 in 1/4096 of a voxel (`VOXEL_STEPS`), x y z, measured from the lower corner of
the tile. serra-mesh hands out exact multiples of 1/256 voxel that do not depend on where
the array starts, and the smoothing works on integer differences, so two arrays that overlap give
the same integers wherever both see enough of the surroundings (`job_records.halo_voxels`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import serra_mesh
from numba import njit

VOXEL_STEPS = 4096
# Taubin's filter (Taubin 1995, "A signal processing approach to fair surface design"): a shrinking
# step, then a larger expanding one, 1/mu + 1/shrink = pass band of 0.1.
SHRINK = 0.63
EXPAND = 1.0 / (0.1 - 1.0 / SHRINK)
BATCH_FACES = 3_000_000


@dataclass(frozen=True)
class Surfaces:
    """Dense surfaces of some labels, one after another.

    vertices: (N, 3) int32, x y z, 1/4096 voxel. faces: (M, 3) int32, rows of `vertices`.
    labels: (L,) uint64, ascending. vertex_starts, face_starts: (L + 1,) int64.
    """

    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    vertex_starts: np.ndarray
    face_starts: np.ndarray


def extract_surfaces(
    labels: np.ndarray, origin: tuple[int, int, int], n_smoothing_iter: int
) -> Iterator[Surfaces]:
    """Smoothed surfaces of every label of an array, in batches of some million faces.

    labels: z y x, unsigned, background 0; what lies beyond the array is background.
    origin: z y x, the voxel of the array that the positions are measured from (its lower corner).
    """
    # threads=1: Snakemake runs the jobs side by side
    mesher = serra_mesh.Mesher(axis_order="ZYX", threads=1)
    mesher.mesh(labels, close=True)
    # voxel i spans i - 0.5 to i + 0.5 in serra's frame
    shift = np.array([(0.5 - o) * VOXEL_STEPS for o in reversed(origin)], dtype=np.float32)
    batch: list = []
    faces = 0
    for label in mesher.ids().tolist():
        mesh = mesher.get(label)
        mesher.erase(label)
        batch.append((label, mesh.vertices, mesh.faces))
        faces += len(mesh.faces)
        if faces >= BATCH_FACES:
            yield _joined(batch, shift, n_smoothing_iter)
            batch, faces = [], 0
    if batch:
        yield _joined(batch, shift, n_smoothing_iter)


def _joined(batch: list, shift: np.ndarray, n_smoothing_iter: int) -> Surfaces:
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
    """Taubin smoothing in place: `n_iter` sweeps of a shrinking and an expanding pass.

    vertices: (N, 3) int32. faces: (M, 3) int32. The sum of neighbour - self is exact and each
    pass rounds once, so the result does not depend on where the coordinates start.
    """
    if n_iter == 0:
        return
    weights = _neighbour_weights(len(vertices), faces)
    for _ in range(n_iter):
        _smoothing_pass(vertices, faces, weights, SHRINK)
        _smoothing_pass(vertices, faces, weights, EXPAND)


@njit(cache=True, nogil=True)
def _neighbour_weights(n_vertices, faces):
    """1 / (times a vertex is met as somebody's neighbour): twice per edge of a closed surface."""
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
