"""From an array of labels to dense, smoothed surfaces in integers.

Positions are int32, x y z, from the lower corner of the tile, in 1/4096 of a voxel (`VOXEL_STEPS`).

Two arrays that overlap give the same integers, wherever both see enough of the surroundings
(`job_records.halo_voxels`): a vertex of a net lies at a fixed place in its cell, smoothing works on
differences of integers, and how a quad becomes two triangles depends on its corners alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snakemesh.compiled import njit
from snakemesh.mesh.net import VOXEL_STEPS, Nets, label_nets
from snakemesh.mesh.smoothing import corners, smooth

# Surfaces are handed on in batches of at least so many faces, which bounds their memory.
BATCH_FACES = 3_000_000


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

    Every edge has two faces, and the faces around a vertex form one fan. Voxels of a label that
    touch along an edge or in a corner alone are not joined (`cell_cases` has the one exception).

    labels: z y x, unsigned, background 0; what lies beyond the array is background.
    origin: z y x, a voxel of the array; positions are measured from its lower corner.
    n_smoothing_iter: sweeps of `smooth`.
    """
    nets = label_nets(labels)
    shift = np.array(origin[::-1], dtype=np.int32) * VOXEL_STEPS
    first = 0
    while first < len(nets.labels):
        enough = nets.quad_starts[first] + (BATCH_FACES + 1) // 2
        last = min(int(np.searchsorted(nets.quad_starts, enough)), len(nets.labels))
        yield _batch(nets, first, last, shift, n_smoothing_iter)
        first = last


def _batch(nets: Nets, first: int, last: int, shift: np.ndarray, n_smoothing_iter: int) -> Surfaces:
    """The surfaces of the labels from `first` up to `last`. Works in place of their nets.

    shift: (3,) int32, what to subtract from the positions.
    """
    vertex_starts = nets.vertex_starts[first : last + 1]
    quad_starts = nets.quad_starts[first : last + 1]
    vertices = nets.vertices[vertex_starts[0] : vertex_starts[-1]]
    quads = nets.quads[quad_starts[0] : quad_starts[-1]]
    vertices -= shift
    quads -= np.int32(vertex_starts[0])
    smooth(vertices, quads, n_smoothing_iter)
    faces = np.empty((2 * len(quads), 3), dtype=np.int32)
    _split(vertices, quads, faces)
    return Surfaces(
        vertices,
        faces,
        nets.labels[first:last],
        vertex_starts - vertex_starts[0],
        2 * (quad_starts - quad_starts[0]),
    )


@njit(cache=True, nogil=True)
def _split(vertices, quads, faces):
    """Split every quad along its shorter diagonal; of two equal ones, along the first.

    vertices: (N, 3) int32. quads: (M, 4) int32. faces: (2 M, 3) int32, for the answer.
    """
    for q in range(len(quads)):
        a, b, c, d = corners(quads, q)
        excess = np.int64(0)
        for i in range(3):
            ac = np.int64(vertices[a, i]) - vertices[c, i]
            bd = np.int64(vertices[b, i]) - vertices[d, i]
            excess += ac * ac - bd * bd
        # without a branch, which nothing could predict
        turn = int(excess > 0)
        a, b = quads[q, turn], quads[q, 1 + turn]
        c, d = quads[q, 2 + turn], quads[q, (3 + turn) & 3]
        faces[2 * q, 0], faces[2 * q, 1], faces[2 * q, 2] = a, b, c
        faces[2 * q + 1, 0], faces[2 * q + 1, 1], faces[2 * q + 1, 2] = a, c, d
