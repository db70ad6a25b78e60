"""What the surfaces in a tile should enclose: volume and first moments of each label's voxels.

Seams lie on faces of voxels. So the part of a label in a tile is whole voxels, and the parts in all
tiles add up to the label.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from snakemesh.boxes import triple
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.compact_labels import CompactLabels


def voxel_moments(
    labels: CompactLabels, origin: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The labels in a tile, and the volume and the first moments of their voxels.

    labels: of the tile with its halo; what lies beyond is background. origin, shape: z y x, the
    tile in it.

    Returns ids (L,) uint64, ascending, and moments (L, 4) float64: the number of voxels and the
    sums of x, y and z over them, in voxels from the lower corner of the tile. All are exact.
    """
    ids, moments, _ = with_second_moments(labels, origin, shape)
    return ids, moments


def with_second_moments(
    labels: CompactLabels, origin: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `voxel_moments` returns, and the second moments of the voxels, (L, 6) int64.

    They are the integrals of xx, yy, zz, xy, xz and yz over the voxels as cubes of side 1, from the
    lower corner of the tile, times 12, which makes them whole numbers: 12 times the integral of xx
    over a run of voxels from b to e is 4 (e^3 - b^3). Below 2^63 for a tile of at most 1024^3.
    """
    sums = np.zeros((len(labels.names), 10), dtype=np.int64)
    _add_runs(labels.box(origin, shape), sums)
    sums[0] = 0
    here = np.flatnonzero(sums[:, 0])
    here = here[np.argsort(labels.names[here])]
    moments = sums[here, :4] * np.array([1, 0.5, 0.5, 0.5])
    return labels.names[here], moments, sums[here, 4:]


def moments_up_to(
    labels: CompactLabels, origin: tuple[int, int, int], shape: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """`voxel_moments` of a tile whose `shape` (z y x) need not be whole.

    The volume may end inside the last voxels of a coarse level. Only the parts of these voxels up
    to `shape` count: their volumes, and their middles.
    """
    parts = []
    for spans in product(*map(_whole_and_rest, shape)):
        begins, counts, widths = zip(*spans, strict=True)
        first = triple(o + b for o, b in zip(origin, begins, strict=True))
        ids, sums = voxel_moments(labels, first, triple(counts))
        sums[:, 1:] *= widths[::-1]
        sums[:, 1:] += sums[:, :1] * begins[::-1]
        parts.append((ids, sums * np.prod(widths)))
    ids, rows = np.unique(np.concatenate([ids for ids, _ in parts]), return_inverse=True)
    moments = np.zeros((len(ids), 4))
    np.add.at(moments, rows, np.concatenate([sums for _, sums in parts]))
    return ids, moments


def _whole_and_rest(end: float) -> list[tuple[int, int, float]]:
    """The whole voxels up to an end, and the part of one that is left: first, number, width."""
    whole, rest = divmod(end, 1)
    spans = [(0, int(whole), 1.0)] if whole else []
    return [*spans, (int(whole), 1, rest)] if rest else spans


def moments_of(labels: np.ndarray, ids: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """The moments of some labels, (N, 4) float64, which are 0 for a label without voxels.

    labels: (N,) uint64. ids: (L,) uint64, ascending. moments: (L, 4) float64, those of `ids`.
    """
    found = np.zeros((len(labels), 4))
    _, here, there = np.intersect1d(labels, ids, assume_unique=True, return_indices=True)
    found[here] = moments[there]
    return found


@njit(cache=True, nogil=True, allocates=False)
def _add_runs(numbers, sums):
    """Add the integrals over voxels to those of their numbers, run by run.

    numbers: z y x, uint32. sums: (L, 10) int64, of 1, 2 x, 2 y, 2 z, 12 xx, 12 yy, 12 zz, 12 xy,
    12 xz and 12 yz.
    """
    nz, ny, nx = numbers.shape
    for z in range(nz):
        for y in range(ny):
            row = numbers[z, y]
            end = 0
            while end < nx:
                begin, number = end, row[end]
                while end < nx and row[end] == number:
                    end += 1
                length = end - begin
                along = length * (begin + end)
                sums[number, 0] += length
                sums[number, 1] += along
                sums[number, 2] += length * (2 * y + 1)
                sums[number, 3] += length * (2 * z + 1)
                sums[number, 4] += 4 * (end * end * end - begin * begin * begin)
                sums[number, 5] += length * (12 * y * (y + 1) + 4)
                sums[number, 6] += length * (12 * z * (z + 1) + 4)
                sums[number, 7] += 3 * along * (2 * y + 1)
                sums[number, 8] += 3 * along * (2 * z + 1)
                sums[number, 9] += 3 * length * (2 * y + 1) * (2 * z + 1)
