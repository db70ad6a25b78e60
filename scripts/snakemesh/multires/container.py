"""Containers: the fragments of one block in one file, written by a `mesh_block` job.

The fragments are sorted by shard, so that a shard job reads one contiguous section of each
container. A container consists of a header, a table with an entry for every shard, one record per
fragment, one count per label and cell, and the payload: the Draco bytes in the order of the
records. All numbers are little-endian. "payload begin" is a position in the file, "size" the size
of the file.

    header   8s magic   u32 version   u32 LOD   u64 shards   u64 records   u64 counts
             u64 payload begin   u64 size   16s how the block was meshed
             16s the voxels that were read
    entry    u64 first record   u64 last record + 1   u64 checksum of these records
             u64 checksum of their payload   u64 first count   u64 last count + 1
             u64 checksum of these counts   u64 checksum of the header and the entry up to here
    record   FRAGMENT, sorted by shard, then label, then Z-order of the cell
    count    COUNT, sorted by shard, then label, then Z-order of the cell; none where no other LOD
             is made of this one, but for LOD 0
    payload

The checksums are XXH3 of 64 bits (https://xxhash.com). Who reads a section checks all of it.
"""

import itertools
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from snakemesh.errors import DamagedError
from snakemesh.job_records import Sharding
from snakemesh.multires.octree import morton
from snakemesh.multires.sharding import shard_of
from snakemesh.output.atomic import replacing

# The record of one fragment: what one label has in one cell. Triples are x, y, z.
# cell: its index at the container's LOD. octants: bit x + 2y + 4z is set if the viewer draws a
# triangle of the fragment for that octant of the cell. volume (nm^3, signed), area (nm^2): the sums
# over the fragments of a label are those of the label. lower, upper: the bounds of the vertices in
# steps of the cell (0 = near side, 65535 = far side). offset, size: place of the Draco bytes in the
# payload.
FRAGMENT = np.dtype(
    [
        ("label", "<u8"),
        ("cell", "<u4", (3,)),
        ("faces", "<u4"),
        ("octants", "u1"),
        ("volume", "<f8"),
        ("area", "<f8"),
        ("lower", "<u2", (3,)),
        ("upper", "<u2", (3,)),
        ("offset", "<u8"),
        ("size", "<u4"),
    ]
)
# The voxels of s0 that a label has in a cell. left_out: 0 for a label that is to be meshed, or else
# the number, from 1, in LIST_KEYS of the key that says no. moment: the sum of the voxels' centres,
# x y z, in cells from the origin of the octree. Where a coarse LOD is made of voxels of its level,
# each of them counts for the voxels of s0 that it covers.
COUNT = np.dtype(
    [
        ("label", "<u8"),
        ("cell", "<u4", (3,)),
        ("voxels", "<u8"),
        ("left_out", "u1"),
        ("moment", "<f8", (3,)),
    ]
)
NO_COUNTS = np.zeros(0, COUNT)

_MAGIC = b"snkmfrag"
_VERSION = 5
_HEADER = struct.Struct("<8sIIQQQQQ16s16s")
_ENTRY = struct.Struct("<QQQQQQQQ")
_CHECKSUM_BYTES = 8


@dataclass(frozen=True)
class Origin:
    """What a block's fragments were made from: 16 bytes that stand for how, and for the voxels."""

    how: bytes
    voxels: bytes


@dataclass(frozen=True)
class Section:
    """The records of one shard in a container, in the order of their payload.

    records: (n,) FRAGMENT. payload_begin: where the payload of the container begins: the bytes of
    record r are those from `payload_begin + r["offset"]` on. payload_checksum: of the section's.
    """

    path: Path
    lod: int
    num_shards: int
    records: np.ndarray
    payload_begin: int
    payload_checksum: int


def write_container(
    path: str | os.PathLike[str],
    lod: int,
    records: np.ndarray,
    blobs: Sequence[bytes],
    sharding: Sharding,
    origin: Origin,
    counts: np.ndarray = NO_COUNTS,
) -> None:
    """Write the fragments of one block of one LOD, whole or not at all.

    `records` has dtype FRAGMENT and shape (n,). `blobs` holds the Draco bytes of each fragment, in
    the order of `records`. That order is free: this function sorts both. It also sets `offset` and
    `size` and ignores what the records hold there. `origin`: what the block was made from.
    `counts`: COUNT, a row for each label and cell.
    Raises ValueError if the lengths differ, a blob is empty, or one label has two fragments in one
    cell.
    """
    if len(records) != len(blobs):
        raise ValueError(f"{len(records)} records, but the bytes of {len(blobs)} fragments")
    shards = shard_of(records["label"], sharding)
    order = np.lexsort((morton(records["cell"]), records["label"], shards))
    starts = _shard_starts(shards[order], sharding)
    records = records[order]
    same = (records["label"][1:] == records["label"][:-1]) & (
        records["cell"][1:] == records["cell"][:-1]
    ).all(axis=1)
    if same.any():
        raise ValueError(f"two fragments of one cell: {records[:-1][same][0]}")
    blobs = [blobs[i] for i in order]
    sizes = np.array([len(blob) for blob in blobs], np.int64)
    if not sizes.all():
        raise ValueError(f"a fragment without bytes: {records[sizes == 0][0]}")
    records["size"] = sizes
    records["offset"] = np.cumsum(sizes) - sizes
    counts, count_starts = _by_shard(counts, sharding)
    begin = _HEADER.size + _ENTRY.size * sharding.num_shards + records.nbytes + counts.nbytes
    numbers = (sharding.num_shards, len(records), len(counts), begin, begin + int(sizes.sum()))
    header = _HEADER.pack(_MAGIC, _VERSION, lod, *numbers, origin.how, origin.voxels)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(header)
        ranges = zip(itertools.pairwise(starts), itertools.pairwise(count_starts), strict=True)
        for (first, last), (first_count, last_count) in ranges:
            of_counts = xxh3_64_intdigest(counts[first_count:last_count].tobytes())
            counted = (first_count, last_count, of_counts)
            file.write(_entry(header, first, last, records, blobs, counted))
        file.write(records.tobytes())
        file.write(counts.tobytes())
        file.writelines(blobs)


def _by_shard(counts: np.ndarray, sharding: Sharding) -> tuple[np.ndarray, list[int]]:
    """Counts by shard, label and Z-order of the cell, and where the counts of each shard begin."""
    shards = shard_of(counts["label"], sharding)
    order = np.lexsort((morton(counts["cell"]), counts["label"], shards))
    return counts[order], _shard_starts(shards[order], sharding)


def _shard_starts(shards: np.ndarray, sharding: Sharding) -> list[int]:
    """Where each shard begins in the ascending shards of rows, and where the last one ends."""
    starts: list[int] = np.searchsorted(shards, np.arange(sharding.num_shards + 1)).tolist()
    return starts


def _entry(
    header: bytes,
    first: int,
    last: int,
    records: np.ndarray,
    blobs: Sequence[bytes],
    counted: tuple[int, int, int],
) -> bytes:
    payload = xxh3_64()
    for blob in blobs[first:last]:
        payload.update(blob)
    checksums = xxh3_64_intdigest(records[first:last].tobytes()), payload.intdigest()
    unsigned = _ENTRY.pack(first, last, *checksums, *counted, 0)[:-_CHECKSUM_BYTES]
    return _ENTRY.pack(first, last, *checksums, *counted, xxh3_64_intdigest(header + unsigned))


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """What a container was made from, or None where it is no sound container of this version."""
    try:
        with open(path, "rb") as file:
            _, _, origin = _read_header(file.fileno(), Path(path))
    except (OSError, DamagedError):
        return None
    return origin


def read_section(path: str | os.PathLike[str], shard: int) -> Section:
    """Read the records of one shard from a container, and nothing else of it.

    Raises DamagedError where the container is not there, is none, is cut short, or is damaged.
    """
    path = Path(path)
    try:
        with open(path, "rb", buffering=0) as file:
            return _read_section(file.fileno(), path, shard)
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None


def read_counts(path: str | os.PathLike[str], shard: int, lod: int | None = None) -> np.ndarray:
    """Read the counts of one shard from a container: COUNT, by label and cell.

    lod: the container of another LOD counts nothing. Raises DamagedError as `read_section` does.
    """
    path = Path(path)
    try:
        with open(path, "rb", buffering=0) as file:
            shape, entry = _read_entry(file.fileno(), path, shard)
            first, last, of_counts = entry[4:]
            if lod not in (None, shape.lod):
                return NO_COUNTS
            place = shape.counts_begin + first * COUNT.itemsize
            data = _read(file.fileno(), path, place, (last - first) * COUNT.itemsize)
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None
    if xxh3_64_intdigest(data) != of_counts:
        raise DamagedError(path, f"has damaged counts of shard {shard}")
    return np.frombuffer(data, COUNT)


@dataclass(frozen=True)
class _Shape:
    """What a header says: where things are in a file of `size` bytes."""

    lod: int
    shards: int
    records: int
    counts: int
    begin: int
    size: int

    @property
    def records_begin(self) -> int:
        return _HEADER.size + _ENTRY.size * self.shards

    @property
    def counts_begin(self) -> int:
        return self.records_begin + self.records * FRAGMENT.itemsize


def _read_entry(fd: int, path: Path, shard: int) -> tuple[_Shape, tuple[int, ...]]:
    """What the header says, and the numbers of a shard's entry, without its checksum."""
    header, shape, _ = _read_header(fd, path)
    if not 0 <= shard < shape.shards:
        raise DamagedError(path, f"was written for {shape.shards} shards and has no shard {shard}")
    entry = bytes(_read(fd, path, _HEADER.size + _ENTRY.size * shard, _ENTRY.size))
    *numbers, of_entry = _ENTRY.unpack(entry)
    if xxh3_64_intdigest(header + entry[:-_CHECKSUM_BYTES]) != of_entry:
        raise DamagedError(path, f"has a damaged entry for shard {shard}")
    first, last, _, _, first_count, last_count, _ = numbers
    fits = first <= last <= shape.records and first_count <= last_count <= shape.counts
    if not fits or shape.counts_begin + shape.counts * COUNT.itemsize != shape.begin:
        raise DamagedError(path, "has a table that does not fit its records")
    return shape, tuple(numbers)


def _read_section(fd: int, path: Path, shard: int) -> Section:
    shape, (first, last, of_records, of_payload, *_) = _read_entry(fd, path, shard)
    place = shape.records_begin + first * FRAGMENT.itemsize
    data = _read(fd, path, place, (last - first) * FRAGMENT.itemsize)
    if xxh3_64_intdigest(data) != of_records:
        raise DamagedError(path, f"has damaged records of shard {shard}")
    records = np.frombuffer(data, FRAGMENT)
    end = records["offset"].astype(np.int64) + records["size"]
    if len(end) and (
        np.any(end[:-1] != records["offset"][1:]) or end[-1] > shape.size - shape.begin
    ):
        raise DamagedError(path, "has records that do not fit its payload")
    return Section(path, shape.lod, shape.shards, records, shape.begin, of_payload)


def _read_header(fd: int, path: Path) -> tuple[bytes, _Shape, Origin]:
    """The bytes of a header, what they say, and what the block was made from."""
    header = os.pread(fd, _HEADER.size, 0)
    if len(header) < _HEADER.size or header[: len(_MAGIC)] != _MAGIC:
        raise DamagedError(path, "is no fragment container")
    _, version, lod, shards, records, counts, begin, size, how, voxels = _HEADER.unpack(header)
    if version != _VERSION:
        raise DamagedError(path, f"is a fragment container of version {version}, not {_VERSION}")
    if os.fstat(fd).st_size != size:
        raise DamagedError(path, f"has {os.fstat(fd).st_size} bytes, its header says {size}")
    return header, _Shape(lod, shards, records, counts, begin, size), Origin(how, voxels)


def _read(fd: int, path: Path, begin: int, size: int) -> bytearray:
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
