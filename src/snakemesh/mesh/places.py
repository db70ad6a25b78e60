"""Numbering positions: vertices with the same number are in one place."""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.kernels.label_hash import look_up


@njit(cache=True, nogil=True)
def places(points):
    """A number for each position, (N,) uint32, at most N. points: (N, 3) int32, in a cell."""
    size = 16
    while size < 2 * len(points):
        size *= 2
    table = np.zeros(size, dtype=np.uint32)
    keys = np.zeros(len(points) + 1, dtype=np.uint64)
    n_keys = 1  # the hash table takes key 0 for the background, number 0: it is the lower corner
    found = np.empty(len(points), dtype=np.uint32)
    for v in range(len(points)):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        key = np.uint64(x) | np.uint64(y) << np.uint64(16) | np.uint64(z) << np.uint64(32)
        found[v] = look_up(table, keys, key, n_keys)
        if found[v] == n_keys:
            keys[n_keys] = key
            n_keys += 1
    return found
