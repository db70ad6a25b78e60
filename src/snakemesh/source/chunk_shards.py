"""Which shard and minishard hold a chunk of a sharded precomputed scale.

Format: sharded.md and volume.md in
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemesh.boxes import ceil_div
from snakemesh.compressed_morton import cell_numbers, code_bits
from snakemesh.murmurhash import murmurhash3_x86_128

HASHED = "murmurhash3_x86_128"
_HASHES = ("identity", HASHED)
_ENCODINGS = {"raw", "gzip"}
# Bits of an id. No volume needs all of them.
_ID_BITS = 64
_NAME = re.compile(r"([0-9a-f]+)\.shard")


@dataclass(frozen=True)
class ChunkShards:
    """How the chunks of a scale are spread over shards, as its member `sharding` says.

    grid: number of chunks along x, y and z. The other fields are those of the format.
    """

    grid: tuple[int, int, int]
    shard_bits: int
    minishard_bits: int
    preshift_bits: int
    hash: str
    minishard_index_encoding: str
    data_encoding: str

    @property
    def index_bytes(self) -> int:
        """The size of the shard index at the start of a shard: 16 bytes for each minishard."""
        return 16 << self.minishard_bits

    @property
    def id_bits(self) -> int:
        """The number of bits of the id of a chunk of the grid."""
        return sum((n - 1).bit_length() for n in self.grid)

    @property
    def _digits(self) -> int:
        """The digits of the name of a shard: as many as the highest number needs."""
        return max(-(-self.shard_bits // 4), 1)

    def name(self, shard: int) -> str:
        """The name of the file of a shard."""
        return f"{shard:0{self._digits}x}.shard"

    def names_beyond(self, shard: int) -> list[str]:
        """Names that no shard has, but another one would have if there were more of them.

        shard: one of the shards. Its number has one more bit in these names, and as many digits.
        """
        return [self.name(shard | 1 << bit) for bit in range(self.shard_bits, 4 * self._digits)]

    def number(self, name: str) -> int | None:
        """The number of the shard that a file of this name holds; None if it is not one of them."""
        if (found := _NAME.fullmatch(name)) is None:
            return None
        shard = int(found[1], 16)
        return shard if shard < 1 << self.shard_bits and name == self.name(shard) else None

    def name_of(self, chunk_id: int) -> str:
        """The name of the file of the shard that holds a chunk."""
        return self.name(int(self.places(np.array([chunk_id], np.uint64))[0][0]))

    def places(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shard of each chunk, and its minishard within the shard. All are uint64 (n,)."""
        keys = ids >> np.uint64(min(self.preshift_bits, _ID_BITS - 1))
        hashed = murmurhash3_x86_128(keys) if self.hash == HASHED else keys
        shards = hashed >> np.uint64(self.minishard_bits)
        masks = [np.uint64((1 << bits) - 1) for bits in (self.shard_bits, self.minishard_bits)]
        return shards & masks[0], hashed & masks[1]

    def id_at(self, chunk: Sequence[int]) -> int:
        """The id of a chunk, its compressed Morton code. chunk: its place in the grid, x y z."""
        return int(cell_numbers(np.array([chunk]), self.grid)[0])

    def is_in_grid(self, ids: np.ndarray) -> np.ndarray:
        """Whether each id, uint64 (n,), is that of a chunk of the grid: bool (n,)."""
        chunks = np.zeros((3, len(ids)), np.uint64)
        for at, (axis, bit) in enumerate(code_bits(self.grid)):
            chunks[axis] |= ((ids >> np.uint64(at)) & np.uint64(1)) << np.uint64(bit)
        is_low = (chunks < np.array(self.grid, np.uint64)[:, None]).all(axis=0)
        found: np.ndarray = is_low & (ids < np.uint64(1 << self.id_bits))
        return found


def is_shard_name(name: str) -> bool:
    """Whether a file has the name of a shard of any number of shards."""
    return _NAME.fullmatch(name) is not None


def chunk_shards(scale: Mapping[str, Any]) -> ChunkShards | None:
    """How the chunks of a scale are spread over shards; None for what tensorstore refuses.

    Raises LookupError, TypeError or ValueError if the scale is not valid.
    """
    sharding = scale["sharding"]
    chunk = (scale.get("chunk_sizes") or [scale["chunk_size"]])[0]
    found = ChunkShards(
        grid=ceil_div(map(int, scale["size"]), map(int, chunk)),
        shard_bits=int(sharding["shard_bits"]),
        minishard_bits=int(sharding["minishard_bits"]),
        preshift_bits=int(sharding["preshift_bits"]),
        hash=sharding["hash"],
        minishard_index_encoding=sharding.get("minishard_index_encoding", "raw"),
        data_encoding=sharding.get("data_encoding", "raw"),
    )
    encodings = {found.minishard_index_encoding, found.data_encoding}
    bits = (found.shard_bits, found.minishard_bits, found.preshift_bits)
    is_known = found.hash in _HASHES and encodings <= _ENCODINGS and min(bits) >= 0
    is_small = max(sum(bits[:2]), found.id_bits) < _ID_BITS and found.minishard_bits <= 32
    return found if is_known and is_small else None
