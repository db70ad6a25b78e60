"""MurmurHash3_x86_128, by which `neuroglancer_uint64_sharded_v1` spreads keys over shards."""

import numpy as np


def _rotate_left(x: np.ndarray, bits: int) -> np.ndarray:
    return (x << np.uint32(bits)) | (x >> np.uint32(32 - bits))


def _mix(x: np.ndarray) -> np.ndarray:
    """The finalization of a 32-bit word (`fmix32`)."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    mixed: np.ndarray = x ^ (x >> np.uint32(16))
    return mixed


def murmurhash3_x86_128(keys: np.ndarray) -> np.ndarray:
    """The low 64 bits of MurmurHash3_x86_128 (seed 0) of each key.

    A key is hashed as 8 little-endian bytes. `keys` and the result are uint64 of shape (n,).
    Source: Austin Appleby's public domain MurmurHash3.cpp. A key of 8 bytes needs no body of the
    algorithm, only its tail and its finalization.
    """
    c1, c2, c3 = np.uint32(0x239B961B), np.uint32(0xAB0E9789), np.uint32(0x38B34AE5)
    keys = np.asarray(keys, np.uint64).reshape(-1)
    low = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    high = (keys >> np.uint64(32)).astype(np.uint32)
    length = np.uint32(8)
    h1 = (_rotate_left(low * c1, 15) * c2) ^ length
    h2 = (_rotate_left(high * c2, 16) * c3) ^ length
    # The third and fourth words, h3 and h4, start equal and get no input, so they stay equal.
    h1 = h1 + h2 + np.uint32(2) * length
    h2, h3 = _mix(h2 + h1), _mix(h1 + length)
    h1 = _mix(h1) + h2 + h3 + h3
    h2 = h2 + h1
    hashed: np.ndarray = h1.astype(np.uint64) | (h2.astype(np.uint64) << np.uint64(32))
    return hashed
