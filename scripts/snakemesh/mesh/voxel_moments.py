"""What the surfaces in a tile should enclose: volume and first moments of each label's voxels.

Seams lie on faces of voxels. So the part of a label in a tile is whole voxels, and the parts in all
tiles add up to the label.
"""

import numpy as np

from snakemesh.compiled import njit

# 2^64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3).
_MIX = np.uint64(0x9E3779B97F4A7C15)


def voxel_moments(
    labels: np.ndarray, origin: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The labels in a tile, and the volume and the first moments of their voxels.

    labels: z y x, unsigned, background 0, the tile with its halo; what lies beyond the array is
    background. origin, shape: z y x, the tile in `labels`.

    Returns ids (L,) uint64, ascending, and moments (L, 4) float64: the number of voxels and the
    sums of x, y and z over them, in voxels from the lower corner of the tile. All are exact.
    """
    ids, sums = _sums(labels[tuple(slice(o, o + n) for o, n in zip(origin, shape, strict=True))])
    order = np.argsort(ids)
    return ids[order], sums[order] * np.array([1, 0.5, 0.5, 0.5])


def moments_of(labels: np.ndarray, ids: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """The moments of some labels, (N, 4) float64, which are 0 for a label without voxels.

    labels: (N,) uint64. ids: (L,) uint64, ascending. moments: (L, 4) float64, those of `ids`.
    """
    found = np.zeros((len(labels), 4))
    _, here, there = np.intersect1d(labels, ids, assume_unique=True, return_indices=True)
    found[here] = moments[there]
    return found


@njit(cache=True, nogil=True)
def _sums(tile):
    """Labels (L,) uint64, and the sums (L, 4) int64 of 1, 2 x, 2 y and 2 z, run by run along x."""
    ids = np.empty(16, dtype=np.uint64)
    sums = np.zeros((16, 4), dtype=np.int64)
    table = np.full(32, -1, dtype=np.int32)
    n = row = 0
    nz, ny, nx = tile.shape
    for z in range(nz):
        for y in range(ny):
            end = 0
            while end < nx:
                begin, label = end, tile[z, y, end]
                while end < nx and tile[z, y, end] == label:
                    end += 1
                if label == 0:
                    continue
                if n == 0 or ids[row] != label:
                    slot = _slot(table, ids, label)
                    row = table[slot]
                    if row < 0:
                        row = table[slot] = n
                        ids[n] = label
                        n += 1
                length = end - begin
                sums[row, 0] += length
                sums[row, 1] += length * (begin + end)
                sums[row, 2] += length * (2 * y + 1)
                sums[row, 3] += length * (2 * z + 1)
                if n == len(ids):
                    ids, sums, table = _grown(ids, sums)
    return ids[:n].copy(), sums[:n].copy()


@njit(cache=True, nogil=True)
def _slot(table, ids, label):
    """Where a label is in the hash table, or the free slot where it belongs.

    table: rows of `ids`, -1 in free slots, with open addressing; its size is a power of two.
    """
    mask = np.uint64(len(table) - 1)
    slot = ((np.uint64(label) * _MIX) >> np.uint64(32)) & mask
    while table[slot] >= 0 and ids[table[slot]] != label:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _grown(ids, sums):
    """The arrays with twice the room, and their hash table, which stays half empty."""
    n = len(ids)
    more_ids = np.empty(2 * n, dtype=np.uint64)
    more_sums = np.zeros((2 * n, 4), dtype=np.int64)
    table = np.full(4 * n, -1, dtype=np.int32)
    more_ids[:n], more_sums[:n] = ids, sums
    for row in range(n):
        table[_slot(table, more_ids, ids[row])] = row
    return more_ids, more_sums, table
