"""What the surfaces in a tile should enclose: volume and first moments of each label's voxels.

Seams lie on faces of voxels. So the part of a label in a tile is whole voxels, and the parts in all
tiles add up to the label.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from snakemesh.boxes import triple
from snakemesh.kernels.compiled import njit
from snakemesh.kernels.label_hash import larger, layers, look_up


def voxel_moments(
    labels: np.ndarray, origin: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The labels in a tile, and the volume and the first moments of their voxels.

    labels: z y x, unsigned, background 0, the tile with its halo; what lies beyond the array is
    background. origin, shape: z y x, the tile in `labels`.

    Returns ids (L,) uint64, ascending, and moments (L, 4) float64: the number of voxels and the
    sums of x, y and z over them, in voxels from the lower corner of the tile. All are exact.
    """
    table = np.zeros(32, dtype=np.uint32)
    names = np.zeros(16, dtype=np.uint64)
    sums = np.zeros((16, 4), dtype=np.int64)
    n_names = 1  # number 0 is the background
    tile = labels[tuple(slice(o, o + n) for o, n in zip(origin, shape, strict=True))]
    for z, layer in enumerate(layers(tile)):
        table, names, sums, n_names = _add_layer(layer, z, table, names, sums, n_names)
    ids, sums = names[1:n_names], sums[1:n_names]
    order = np.argsort(ids)
    return ids[order], sums[order] * np.array([1, 0.5, 0.5, 0.5])


def moments_up_to(
    labels: np.ndarray, origin: tuple[int, int, int], shape: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """`voxel_moments` of a tile whose `shape` (z y x) need not be whole.

    The volume may end inside the last voxels of a coarse level. Of these, only the parts up to
    `shape` count: their volumes, and the middles of these parts.
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


@njit(cache=True, nogil=True)
def _add_layer(layer, z, table, names, sums, n_names):
    """Add the sums of a layer of labels, run by run along x.

    sums: (n, 4) int64, by number of the label: the sums of 1, 2 x, 2 y and 2 z. Returns what may
    have grown: the hash table, the labels, the sums, and how many labels there are.
    """
    number = np.uint32(0)
    ny, nx = layer.shape
    for y in range(ny):
        end = 0
        while end < nx:
            begin, label = end, layer[y, end]
            while end < nx and layer[y, end] == label:
                end += 1
            if label == 0:
                continue
            if names[number] != label:
                if n_names == len(names):
                    table, names = larger(table, names)
                    more = np.zeros((len(names), 4), dtype=np.int64)
                    for i in range(n_names):
                        for j in range(4):
                            more[i, j] = sums[i, j]
                    sums = more
                number = look_up(table, names, label, n_names)
                if number == n_names:
                    names[n_names] = label
                    n_names += 1
            length = end - begin
            sums[number, 0] += length
            sums[number, 1] += length * (begin + end)
            sums[number, 2] += length * (2 * y + 1)
            sums[number, 3] += length * (2 * z + 1)
    return table, names, sums, n_names
