"""Which shard a label belongs to: Neuroglancer's `neuroglancer_uint64_sharded_v1`.

Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
"""

import numpy as np

from snakemesh.job_records import Sharding


def _rotate_left(x: np.ndarray, bits: int) -> np.ndarray:
    return (x << np.uint32(bits)) | (x >> np.uint32(32 - bits))


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def murmurhash3_x86_128(keys: np.ndarray) -> np.ndarray:
    """Low 64 bits of MurmurHash3_x86_128 (seed 0) of each key as 8 little-endian bytes.

    `keys` is uint64 of shape (n,), the result too. Source: Austin Appleby's public domain
    MurmurHash3.cpp; for 8 bytes there is no body, only the tail and the finalization.
    """
    c1, c2, c3 = np.uint32(0x239B961B), np.uint32(0xAB0E9789), np.uint32(0x38B34AE5)
    keys = np.asarray(keys, np.uint64).reshape(-1)
    low = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    high = (keys >> np.uint64(32)).astype(np.uint32)
    length = np.uint32(8)
    h1 = (_rotate_left(low * c1, 15) * c2) ^ length
    h2 = (_rotate_left(high * c2, 16) * c3) ^ length
    # The third and fourth words start equal and see no input, so they stay equal.
    h1 = h1 + h2 + np.uint32(2) * length
    h2, h3 = _mix(h2 + h1), _mix(h1 + length)
    h1 = _mix(h1) + h2 + h3 + h3
    h2 = h2 + h1
    return h1.astype(np.uint64) | (h2.astype(np.uint64) << np.uint64(32))


def _hash_bits(labels: np.ndarray, sharding: Sharding, begin: int, bits: int) -> np.ndarray:
    labels = np.asarray(labels, np.uint64) >> np.uint64(sharding.preshift_bits)
    hashed = murmurhash3_x86_128(labels) >> np.uint64(begin)
    return (hashed & np.uint64((1 << bits) - 1)).astype(np.int64)


def minishard_of(labels: np.ndarray, sharding: Sharding) -> np.ndarray:
    """Minishard, within its shard, of each label: int64 of shape (n,)."""
    return _hash_bits(labels, sharding, 0, sharding.minishard_bits)


def shard_of(labels: np.ndarray, sharding: Sharding) -> np.ndarray:
    """Shard of each label: int64 of shape (n,)."""
    return _hash_bits(labels, sharding, sharding.minishard_bits, sharding.shard_bits)
