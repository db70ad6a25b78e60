"""Labels as small numbers: 0 for the background, and 1, 2, ... in the order in which they are met.

What follows needs no hash table, no memory by the value of a label, and one type of voxels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.kernels.label_hash import larger, layers, look_up


class CompactLabels(NamedTuple):
    """The numbers of the labels of an array of voxels.

    numbers: z y x, uint32, of the label of each voxel, with a border of background: one voxel
    larger than the array on every side. names: (L + 1,) uint64, the label of each number. The
    background is 0 in both.
    """

    numbers: np.ndarray
    names: np.ndarray

    def box(self, first: Sequence[int], shape: Sequence[int]) -> np.ndarray:
        """A view of `numbers`: the voxels from `first`, z y x in the array, as far as it goes."""
        return self.numbers[1:-1, 1:-1, 1:-1][
            tuple(slice(f, f + n) for f, n in zip(first, shape, strict=True))
        ]


def compact_labels(labels: np.ndarray) -> CompactLabels:
    """Number the labels of an array, z y x, unsigned, with background 0."""
    # zeros of the system: pages without a label take neither time nor memory
    numbers = np.zeros([n + 2 for n in labels.shape], dtype=np.uint32)
    table = np.zeros(1 << 10, dtype=np.uint32)
    names = np.zeros(1 << 9, dtype=np.uint64)
    n_names = 1
    for z, layer in enumerate(layers(labels)):
        table, names, n_names = _number(layer, table, names, n_names, numbers[z + 1])
    return CompactLabels(numbers, names[:n_names].copy())


@njit(cache=True, nogil=True)
def _number(layer, table, names, n_names, numbers):
    """Write the numbers of a layer of labels into the inside of `numbers`.

    Returns the hash table and the labels, which may have grown, and how many labels there are.
    """
    last, number = np.uint64(0), np.uint32(0)
    n = layer.shape[1]
    for y in range(layer.shape[0]):
        source, target = layer[y], numbers[y + 1, 1:]
        seen = np.uint64(0)
        for x in range(n):
            seen |= source[x]
        end = 0 if seen else n
        while end < n:
            begin = end
            label = source[begin]
            while end < n and source[end] == label:
                end += 1
            if label != last:
                last = label
                if n_names == len(names):
                    table, names = larger(table, names)
                number = look_up(table, names, label, n_names)
                if number == n_names:
                    names[n_names] = label
                    n_names += 1
            for x in range(begin, end):
                target[x] = number
    return table, names, n_names
