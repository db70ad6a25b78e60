"""Which shard a label belongs to: Neuroglancer's `neuroglancer_uint64_sharded_v1`.

Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sharding:
    """How labels are spread over `2**shard_bits` files of `2**minishard_bits` minishards each."""

    shard_bits: int
    minishard_bits: int
    preshift_bits: int = 0

    def __post_init__(self) -> None:
        if min(self.shard_bits, self.minishard_bits, self.preshift_bits) < 0:
            raise ValueError(f"the bits of a sharding cannot be negative: {self}")
        if self.shard_bits + self.minishard_bits > 32 or self.preshift_bits > 63:
            raise ValueError(f"more bits than any number of labels needs: {self}")

    @property
    def num_shards(self) -> int:
        """Number of shard files."""
        return 1 << self.shard_bits

    @property
    def index_bytes(self) -> int:
        """Size of the shard index at the start of a shard file: 16 bytes a minishard."""
        return 16 << self.minishard_bits

    def info(self) -> dict[str, str | int]:
        """The `sharding` member of an `info` document.

        Nothing is compressed: fragments are Draco already, and the minishard indices are 24 bytes
        a label, a few thousandths of a shard.
        """
        return {
            "@type": "neuroglancer_uint64_sharded_v1",
            "preshift_bits": self.preshift_bits,
            "hash": "murmurhash3_x86_128",
            "minishard_bits": self.minishard_bits,
            "shard_bits": self.shard_bits,
            "minishard_index_encoding": "raw",
            "data_encoding": "raw",
        }


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


def shard_name(shard: int, sharding: Sharding) -> str:
    """File name of a shard: lower-case hexadecimal, padded to `ceil(shard_bits / 4)` digits."""
    return f"{shard:x}".zfill(-(-sharding.shard_bits // 4)) + ".shard"
