"""The header of a container, and its table: what the container holds of which shard.

    header   8s magic   u32 version   u32 LOD   u64 shards   u64 entries   u64 records   u64 counts
             u64 contacts   u64 payload begin   u64 size   16s how the block was meshed
             16s the voxels that were read
    table    ENTRY of every shard that the container has anything of, by shard
    checksum u64, of the header and the table

A small block has fragments of few shards, and a table of all shards would be larger than the rest
of its container. `container` describes what follows.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64_intdigest

from snakemesh.errors import DamagedError

# A shard's range of records and their checksum, the checksum of their payload, and its ranges of
# counts and of contacts, each with a checksum.
ENTRY = np.dtype(
    [
        ("shard", "<u8"),
        ("first", "<u8"),
        ("last", "<u8"),
        ("of_records", "<u8"),
        ("of_payload", "<u8"),
        ("first_count", "<u8"),
        ("last_count", "<u8"),
        ("of_counts", "<u8"),
        ("first_contact", "<u8"),
        ("last_contact", "<u8"),
        ("of_contacts", "<u8"),
    ]
)

_MAGIC = b"snkmfrag"
_VERSION = 7
_HEADER = struct.Struct("<8sIIQQQQQQQ16s16s")
_CHECKSUM = struct.Struct("<Q")


@dataclass(frozen=True)
class Origin:
    """What a block's fragments were made from: 16 bytes that stand for how, and for the voxels."""

    how: bytes
    voxels: bytes


@dataclass(frozen=True)
class Table:
    """What a container holds, and where.

    shards: how many there are in all. entries: ENTRY, (n,), of ascending shards. records, counts,
    contacts: their numbers. begin: where the payload begins. size: of the file. origin: what was
    meshed.
    """

    lod: int
    shards: int
    entries: np.ndarray
    records: int
    counts: int
    contacts: int
    begin: int
    size: int
    origin: Origin

    def entry(self, shard: int) -> np.void:
        """The entry of a shard, of empty ranges if the container has nothing of the shard."""
        at = int(np.searchsorted(self.entries["shard"], shard))
        if at < len(self.entries) and self.entries["shard"][at] == shard:
            found: np.void = self.entries[at]
            return found
        nothing: np.void = _NOTHING[0]
        return nothing

    def packed(self) -> bytes:
        """The header, the table and their checksum, as they stand at the begin of the file."""
        numbers = (len(self.entries), self.records, self.counts, self.contacts)
        place = (self.begin, self.size, self.origin.how, self.origin.voxels)
        header = _HEADER.pack(_MAGIC, _VERSION, self.lod, self.shards, *numbers, *place)
        data = header + self.entries.tobytes()
        return data + _CHECKSUM.pack(xxh3_64_intdigest(data))


_NOTHING = np.zeros(1, ENTRY)
for _field in ("of_records", "of_payload", "of_counts", "of_contacts"):
    _NOTHING[_field] = xxh3_64_intdigest(b"")


def table_bytes(entries: int) -> int:
    """Bytes of the header, a table of this many entries, and their checksum."""
    return _HEADER.size + entries * ENTRY.itemsize + _CHECKSUM.size


def read_table(fd: int, path: Path) -> Table:
    """The table of an open container. Raises DamagedError where it is none, or is damaged."""
    header = os.pread(fd, _HEADER.size, 0)
    if len(header) < _HEADER.size or header[: len(_MAGIC)] != _MAGIC:
        raise DamagedError(path, "is not a fragment container")
    _, version, lod, shards, entries, *numbers, how, voxels = _HEADER.unpack(header)
    records, counts, contacts, begin, size = numbers
    if version != _VERSION:
        raise DamagedError(path, f"is a fragment container of version {version}, not {_VERSION}")
    if os.fstat(fd).st_size != size:
        raise DamagedError(path, f"has {os.fstat(fd).st_size} bytes, its header says {size}")
    if entries > shards or table_bytes(entries) > begin or begin > size:
        raise DamagedError(path, "has a header that does not fit its table")
    data = bytes(read_bytes(fd, path, 0, table_bytes(entries)))
    if _CHECKSUM.pack(xxh3_64_intdigest(data[: -_CHECKSUM.size])) != data[-_CHECKSUM.size :]:
        raise DamagedError(path, "has a damaged table")
    table = np.frombuffer(data, ENTRY, entries, _HEADER.size)
    origin = Origin(how, voxels)
    return Table(lod, shards, table, records, counts, contacts, begin, size, origin)


def read_bytes(fd: int, path: Path, begin: int, size: int) -> bytearray:
    """Bytes of an open file, or DamagedError where it ends before them."""
    data = bytearray(size)
    read_into(fd, path, begin, memoryview(data))
    return data


def read_into(fd: int, path: Path, begin: int, target: memoryview) -> None:
    """Fill `target` with the bytes of an open file from `begin` on, or raise DamagedError."""
    done = 0
    while done < len(target):
        got = os.preadv(fd, [target[done:]], begin + done)
        if not got:
            raise DamagedError(path, f"ends at byte {begin + done}, in the middle of its contents")
        done += got
