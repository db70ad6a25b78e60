"""A hash table of labels: it numbers them 1, 2, ... in the order in which they are met."""

from collections.abc import Iterator

import numpy as np

from snakemesh.kernels.compiled import njit

# 2^64 divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3).
_MIX = np.uint64(0x9E3779B97F4A7C15)


def layers(labels: np.ndarray) -> Iterator[np.ndarray]:
    """Each layer (y, x) of labels, z y x, as a contiguous array of uint64.

    So what runs over labels is compiled for one type of them. It takes 1 ns a voxel.
    """
    for layer in labels:
        yield np.ascontiguousarray(layer, dtype=np.uint64)


@njit(cache=True, nogil=True, allocates=False)
def look_up(table, names, label, n_names):
    """The number of a label; a new label gets `n_names`.

    table: a hash table with open addressing, of a size that is a power of two; 0 is a free slot.
    """
    if label == 0:
        return np.uint32(0)
    mask = np.uint64(len(table) - 1)
    slot = ((label * _MIX) >> np.uint64(32)) & mask
    while table[slot] != 0:
        if names[table[slot]] == label:
            return table[slot]
        slot = (slot + np.uint64(1)) & mask
    table[slot] = n_names
    return np.uint32(n_names)


@njit(cache=True, nogil=True)
def larger(table, names):
    """The hash table and the labels, with room for twice as many."""
    more = np.zeros(2 * len(names), dtype=np.uint64)
    new = np.zeros(2 * len(table), dtype=np.uint32)
    for number in range(1, len(names)):
        more[number] = names[number]
        look_up(new, more, more[number], number)
    return new, more
