"""Shard and minishard of a label, and the index of a shard: `neuroglancer_uint64_sharded_v1`.

Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
"""

import numpy as np

from snakemesh.job_records import Sharding
from snakemesh.murmurhash import murmurhash3_x86_128

# An entry of a minishard index: a label, and the start and size of its value, 64 bits each.
_ENTRY_BYTES = 24


def _hash_bits(labels: np.ndarray, sharding: Sharding, begin: int, bits: int) -> np.ndarray:
    """The `bits` bits of each label's hash from bit `begin` on: int64 of shape (n,)."""
    labels = np.asarray(labels, np.uint64) >> np.uint64(sharding.preshift_bits)
    hashed = murmurhash3_x86_128(labels) >> np.uint64(begin)
    return (hashed & np.uint64((1 << bits) - 1)).astype(np.int64)


def minishard_of(labels: np.ndarray, sharding: Sharding) -> np.ndarray:
    """The number of each label's minishard within its shard. `labels`, uint64, has shape (n,).

    Returns int64 of shape (n,).
    """
    return _hash_bits(labels, sharding, 0, sharding.minishard_bits)


def shard_of(labels: np.ndarray, sharding: Sharding) -> np.ndarray:
    """The number of each label's shard. `labels`, uint64, has shape (n,).

    Returns int64 of shape (n,).
    """
    return _hash_bits(labels, sharding, sharding.minishard_bits, sharding.shard_bits)


def encode_index(
    labels: np.ndarray, begin: np.ndarray, size: np.ndarray, end: int, sharding: Sharding
) -> tuple[np.ndarray, np.ndarray]:
    """The shard index, uint64 of shape (minishards, 2), and all minishard indices, uint64.

    labels: those of the shard, uint64 (n,), ascending. begin, size: the first byte in the shard
    file of each label's value, and its bytes, int64 (n,). end: the byte after all values, where the
    minishard indices stand.
    The shard index stands at the start of the file. It gives the first byte of each minishard
    index and the byte after its last, counted from the end of the shard index.
    A minishard index is an array of shape (3, n): labels, starts and sizes of the values. A label
    is stored as the difference to the label before it. A start is stored as the distance from the
    end of the value before it; that of the first value counts from the end of the shard index. The
    format does not prescribe the order of the data: here they are in the order of the labels of the
    whole shard. The labels of each minishard ascend as well, so that no difference is negative.
    """
    minishard = minishard_of(labels, sharding)
    order = np.argsort(minishard, kind="stable")
    counts = np.bincount(minishard, minlength=1 << sharding.minishard_bits)
    first = np.cumsum(counts) - counts
    start = begin[order] - sharding.index_bytes
    rows = np.stack([labels[order], start.astype(np.uint64), size[order].astype(np.uint64)])
    previous = np.zeros((2, len(order)), np.uint64)
    previous[0, 1:] = rows[0, :-1]
    previous[1, 1:] = rows[1, :-1] + rows[2, :-1]
    previous[:, first[counts > 0]] = 0
    rows[:2] -= previous

    group = minishard[order]
    minishards = np.empty(3 * len(order), np.dtype("<u8"))
    for i in range(3):
        minishards[np.arange(len(order)) + 2 * first[group] + i * counts[group]] = rows[i]
    where = end - sharding.index_bytes + _ENTRY_BYTES * first
    index = np.stack([where, where + _ENTRY_BYTES * counts], axis=1)
    index[counts == 0] = 0
    return index.astype("<u8"), minishards
