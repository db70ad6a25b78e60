"""Whether the shards of a precomputed scale are those that its member `sharding` describes.

tensorstore looks for a chunk in one minishard of one shard. A chunk that is not listed there is
background, so with a wrong number of bits or another hash, chunks would be lost without an error.
Only a few shards are looked at, and in each the lists of a few minishards.
"""

import gzip
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from snakemesh.errors import UserError
from snakemesh.source.chunk_shards import ChunkShards, is_shard_name

# A part of a file: its name, the first byte, and the byte after the last.
Part = tuple[str, int, int]
# Reads parts of files: None for a file that is missing, fewer bytes where the file ends before.
Reader = Callable[[Sequence[Part]], list[bytes | None]]
T = TypeVar("T")

# Shards of a folder that are looked at, and minishards of each.
_SHARDS, _MINISHARDS = 8, 4
# Bytes that are read at most of a shard index (4096 minishards) and of the list of a minishard
# (700,000 chunks). The rest of a longer index and longer lists are not looked at.
_MOST_INDEX_BYTES, _MOST_LIST_BYTES = 1 << 16, 1 << 24
# Bytes of a chunk that show whether it is compressed.
_HEAD_BYTES = 1 << 12
# No file is as large: such an index is none.
_MOST_FILE_BYTES = 1 << 60
_ENTRY_BYTES = 24
# Keys that decide where a chunk is looked for.
_BITS = "preshift_bits, minishard_bits, shard_bits or hash"


class _MisfitError(Exception):
    """Arguments: what a shard holds and what was expected, and the keys of `info` that say so."""


def refuse_misfit(folder: str, shards: ChunkShards, names: Sequence[str], read: Reader) -> bool:
    """Whether any file in a folder has the name of one of the shards.

    names: of the files in the folder; a few of the shards are looked at. Otherwise as
    `refuse_other_shards`.
    """
    wanted = [name for name in names if shards.number(name) is not None]
    odd = next((name for name in names if is_shard_name(name) and name not in wanted), None)
    if odd is not None:
        refuse_other_name(folder, shards, odd)
    refuse_other_shards(folder, shards, _spread(sorted(wanted), _SHARDS), read, _MINISHARDS)
    return bool(wanted)


def refuse_other_shards(
    folder: str, shards: ChunkShards, names: Sequence[str], read: Reader, minishards: int
) -> bool:
    """Whether any of these shards is stored, if all are as the metadata say.

    folder: of the scale, as the user knows it. names: of the files that are looked at. read: reads
    parts of the files in the folder. minishards: how many of a shard are looked at. Raises
    UserError if a shard holds other chunks than `shards` says, or encodes them otherwise.
    """
    size = min(shards.index_bytes, _MOST_INDEX_BYTES)
    indices = read([(name, 0, size) for name in names])
    for name, index in zip(names, indices, strict=True):
        if index is None:
            continue
        try:
            places = _places(shards, index, size)
            listing = _listing(shards, name, places, read)
            _check_minishards(shards, name, _spread(listing, minishards), places, read)
        except _MisfitError as error:
            what, keys = error.args
            raise UserError(
                f"config key input_path: {folder}/{name} {what}: chunks would be lost; correct "
                f"{keys} in `info`, or copy the volume with the program that wrote it"
            ) from error
        beyond = shards.names_beyond(shards.number(name) or 0)
        for other, found in zip(beyond, read([(n, 0, 1) for n in beyond]), strict=True):
            if found is not None:
                refuse_other_name(folder, shards, other)
    return any(index is not None for index in indices)


def refuse_other_name(folder: str, shards: ChunkShards, name: str) -> None:
    """Raise UserError for a file in `folder` with the name of a shard that should not exist."""
    last = (1 << shards.shard_bits) - 1
    others = f" to {shards.name(last)}" if last else " only"
    raise UserError(
        f"config key input_path: {folder} holds the shard {name}, but shard_bits "
        f"{shards.shard_bits} in `info` means {shards.name(0)}{others}: chunks would be lost; "
        "correct shard_bits, or remove the file"
    )


def _spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` items, evenly spaced, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).astype(int)]


def _places(shards: ChunkShards, index: bytes, size: int) -> np.ndarray:
    """Begin and end of the lists of minishards in a shard, int64 (n, 2).

    index: the first bytes of the shard, which are `size` bytes unless the file ends before.
    """
    n_minishards = 1 << shards.minishard_bits
    if len(index) < size:
        raise _MisfitError(
            f"has {len(index)} bytes, expected {shards.index_bytes} or more for {n_minishards} "
            "minishards",
            "minishard_bits",
        )
    entries = np.frombuffer(index, "<u8").reshape(-1, 2)
    if (entries[:, 0] > entries[:, 1]).any() or entries.max() > _MOST_FILE_BYTES:
        raise _MisfitError(
            f"does not begin with an index of {n_minishards} minishards", "minishard_bits"
        )
    return entries.astype(np.int64) + shards.index_bytes


def _listing(shards: ChunkShards, name: str, places: np.ndarray, read: Reader) -> list[int]:
    """The minishards of a shard that list chunks. Raises _MisfitError if none does despite data."""
    listing: list[int] = np.flatnonzero(places[:, 0] < places[:, 1]).tolist()
    end = shards.index_bytes
    if (
        not listing
        and len(places) == 1 << shards.minishard_bits
        and read([(name, end, end + 1)])[0]
    ):
        raise _MisfitError(
            f"holds data, but no chunk in {len(places)} minishards", "minishard_bits"
        )
    return listing


def _check_minishards(
    shards: ChunkShards, name: str, chosen: Sequence[int], places: np.ndarray, read: Reader
) -> None:
    """Raise _MisfitError if a chosen minishard of a shard lists other chunks than it should.

    Also if its largest chunk is compressed otherwise.
    """
    parts = [(name, int(places[n, 0]), int(places[n, 1])) for n in chosen]
    lists = read([(name, begin, min(end, begin + _MOST_LIST_BYTES)) for _, begin, end in parts])
    heads: list[Part] = []
    for minishard, (_, begin, end), found in zip(chosen, parts, lists, strict=True):
        if found is None or len(found) < min(end - begin, _MOST_LIST_BYTES):
            raise _MisfitError(f"ends before the list of its minishard {minishard}", _BITS)
        if len(found) < end - begin:
            continue
        ids, begins, sizes = _chunks(shards, minishard, found)
        _check_ids(shards, name, minishard, ids)
        at = np.argmax(sizes)
        if sizes[at]:
            heads.append((name, int(begins[at]), int(begins[at] + min(sizes[at], _HEAD_BYTES))))
    for head in read(heads[:1]):
        _check_encoding(shards, head or b"")


def _chunks(shards: ChunkShards, minishard: int, found: bytes) -> np.ndarray:
    """Ids, first bytes and sizes of the chunks that a minishard lists, uint64 (3, n)."""
    encoding, data = shards.minishard_index_encoding, found
    if encoding == "gzip":
        try:
            data = gzip.decompress(found)
        except (OSError, EOFError, zlib.error):
            data = b""
    elif _is_gzip(found):
        data = b""
    if not data or len(data) % _ENTRY_BYTES:
        raise _MisfitError(
            f"has a list of its minishard {minishard} that is not {encoding}, but `info` says so",
            "minishard_index_encoding or minishard_bits",
        )
    ids, begins, sizes = np.frombuffer(data, "<u8").reshape(3, -1)
    ends = np.uint64(shards.index_bytes) + np.cumsum(begins + sizes)
    return np.stack([np.cumsum(ids), ends - sizes, sizes])


def _check_ids(shards: ChunkShards, name: str, minishard: int, ids: np.ndarray) -> None:
    """Raise _MisfitError if a chunk belongs elsewhere, or to no place of the grid."""
    right = np.stack(shards.places(ids), axis=1)
    is_here = (right == (shards.number(name), minishard)).all(axis=1)
    if not is_here.all():
        at = int(np.argmin(is_here))
        shard, other = map(int, right[at])
        raise _MisfitError(
            f"holds chunk {ids[at]} in minishard {minishard}, but `info` says minishard {other} of "
            f"{shards.name(shard)}",
            _BITS,
        )
    is_in_grid = shards.is_in_grid(ids)
    if not is_in_grid.all():
        raise _MisfitError(
            f"holds chunk {ids[np.argmin(is_in_grid)]}, but `info` says "
            f"{' x '.join(map(str, shards.grid))} chunks (x y z)",
            "size or chunk_sizes",
        )


def _check_encoding(shards: ChunkShards, head: bytes) -> None:
    """Raise _MisfitError if a chunk is compressed otherwise. head: its first bytes."""
    if _is_gzip(head) != (shards.data_encoding == "gzip"):
        found = "raw" if shards.data_encoding == "gzip" else "gzip"
        raise _MisfitError(
            f"holds chunks whose data_encoding is {found}, but `info` says {shards.data_encoding}",
            "data_encoding",
        )


def _is_gzip(data: bytes) -> bool:
    """Whether data begin as gzip does, and not only by chance with the same bytes."""
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        return bool(unpacker.decompress(data)) or unpacker.eof
    except zlib.error:
        return False
