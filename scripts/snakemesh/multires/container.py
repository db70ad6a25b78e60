"""Containers: the fragments of one block in one file, written by a `mesh_block` job.

The fragments are sorted by shard, so that a shard job reads one contiguous section of each
container. A container consists of a header, a table with an entry for every shard, one record per
fragment, and the payload: the Draco bytes in the order of the records. All numbers are
little-endian. "payload begin" is a position in the file, "size" the size of the file.

    header   8s magic   u32 version   u32 LOD   u64 shards   u64 records   u64 payload begin
             u64 size   16s how the block was meshed   16s the voxels that were read
    entry    u64 first record   u64 last record + 1   u64 checksum of these records
             u64 checksum of their payload   u64 checksum of the header and the entry up to here
    record   FRAGMENT, sorted by shard, then label, then Z-order of the cell
    payload

The checksums are XXH3 of 64 bits (https://xxhash.com). Who reads a section checks all of it.
"""

import itertools
import os
import struct
from collections.abc import Iterator, Sequence
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

_MAGIC = b"snkmfrag"
_VERSION = 2
_HEADER = struct.Struct("<8sIIQQQQ16s16s")
_ENTRY = struct.Struct("<QQQQQ")
_CHECKSUM_BYTES = 8
# At most this much of a payload is in memory at once, 16 MiB, unless one fragment is larger.
BLOCK_BYTES = 16 << 20


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
) -> None:
    """Write the fragments of one block of one LOD, whole or not at all.

    `records` has dtype FRAGMENT and shape (n,). `blobs` holds the Draco bytes of each fragment, in
    the order of `records`. That order is free: this function sorts both. It also sets `offset` and
    `size` and ignores what the records hold there. `origin`: what the block was made from.
    Raises ValueError if the lengths differ, a blob is empty, or one label has two fragments in one
    cell.
    """
    if len(records) != len(blobs):
        raise ValueError(f"{len(records)} records, but the bytes of {len(blobs)} fragments")
    shards = shard_of(records["label"], sharding)
    order = np.lexsort((morton(records["cell"]), records["label"], shards))
    starts = np.searchsorted(shards[order], np.arange(sharding.num_shards + 1)).tolist()
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
    begin = _HEADER.size + _ENTRY.size * sharding.num_shards + records.nbytes
    counts = (sharding.num_shards, len(records), begin, begin + int(sizes.sum()))
    header = _HEADER.pack(_MAGIC, _VERSION, lod, *counts, origin.how, origin.voxels)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(header)
        for first, last in itertools.pairwise(starts):
            file.write(_entry(header, first, last, records, blobs))
        file.write(records.tobytes())
        file.writelines(blobs)


def _entry(
    header: bytes, first: int, last: int, records: np.ndarray, blobs: Sequence[bytes]
) -> bytes:
    payload = xxh3_64()
    for blob in blobs[first:last]:
        payload.update(blob)
    checksums = xxh3_64_intdigest(records[first:last].tobytes()), payload.intdigest()
    unsigned = _ENTRY.pack(first, last, *checksums, 0)[:-_CHECKSUM_BYTES]
    return _ENTRY.pack(first, last, *checksums, xxh3_64_intdigest(header + unsigned))


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """What a container was made from, or None where it is no sound container of this version."""
    try:
        with open(path, "rb") as file:
            _, _, origin, _ = _read_header(file.fileno(), Path(path))
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


def _read_section(fd: int, path: Path, shard: int) -> Section:
    header, (lod, shards, count, begin), _, size = _read_header(fd, path)
    if not 0 <= shard < shards:
        raise DamagedError(path, f"was written for {shards} shards and has no shard {shard}")
    entry = bytes(_read(fd, path, _HEADER.size + _ENTRY.size * shard, _ENTRY.size))
    first, last, of_records, of_payload, of_entry = _ENTRY.unpack(entry)
    if xxh3_64_intdigest(header + entry[:-_CHECKSUM_BYTES]) != of_entry:
        raise DamagedError(path, f"has a damaged entry for shard {shard}")
    records_begin = _HEADER.size + _ENTRY.size * shards
    if not first <= last <= count or records_begin + count * FRAGMENT.itemsize != begin:
        raise DamagedError(path, "has a table that does not fit its records")
    place = records_begin + first * FRAGMENT.itemsize
    data = _read(fd, path, place, (last - first) * FRAGMENT.itemsize)
    if xxh3_64_intdigest(data) != of_records:
        raise DamagedError(path, f"has damaged records of shard {shard}")
    records = np.frombuffer(data, FRAGMENT)
    end = records["offset"].astype(np.int64) + records["size"]
    if len(end) and (np.any(end[:-1] != records["offset"][1:]) or end[-1] > size - begin):
        raise DamagedError(path, "has records that do not fit its payload")
    return Section(path, lod, shards, records, begin, of_payload)


def _read_header(fd: int, path: Path) -> tuple[bytes, tuple[int, int, int, int], Origin, int]:
    """The bytes of a header; LOD, shards, records and payload begin; the origin; the size."""
    header = os.pread(fd, _HEADER.size, 0)
    if len(header) < _HEADER.size or header[: len(_MAGIC)] != _MAGIC:
        raise DamagedError(path, "is no fragment container")
    _, version, lod, shards, count, begin, size, how, voxels = _HEADER.unpack(header)
    if version != _VERSION:
        raise DamagedError(path, f"is a fragment container of version {version}, not {_VERSION}")
    if os.fstat(fd).st_size != size:
        raise DamagedError(path, f"has {os.fstat(fd).st_size} bytes, its header says {size}")
    return header, (lod, shards, count, begin), Origin(how, voxels), size


def payload_blocks(
    section: Section, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, memoryview]]:
    """Stream the bytes of the records of a section, front to back, a block at a time.

    Yields `(first, last, data)`: `data` holds the bytes of `records[first:last]`, without gaps,
    and is overwritten by the next block. Blocks are of at most `block_bytes`, or one fragment.
    Raises DamagedError where the container ends early or, at the end, where the bytes are not those
    that were written.
    """
    records = section.records
    if not len(records):
        return
    ends = records["offset"].astype(np.int64) + records["size"]
    begins = ends - records["size"]
    buffer = memoryview(bytearray(min(int(ends[-1] - begins[0]), block_bytes)))
    checksum = xxh3_64()
    with open(section.path, "rb", buffering=0) as file:
        first = 0
        while first < len(records):
            fits = int(np.searchsorted(ends, begins[first] + block_bytes, side="right"))
            last = max(fits, first + 1)
            size = int(ends[last - 1] - begins[first])
            if size > len(buffer):
                buffer = memoryview(bytearray(size))
            place = section.payload_begin + int(begins[first])
            _read_into(file.fileno(), section.path, place, buffer[:size])
            checksum.update(buffer[:size])
            yield first, last, buffer[:size]
            first = last
    if checksum.intdigest() != section.payload_checksum:
        raise DamagedError(section.path, "has damaged fragments")


def _read(fd: int, path: Path, begin: int, size: int) -> bytearray:
    data = bytearray(size)
    _read_into(fd, path, begin, memoryview(data))
    return data


def _read_into(fd: int, path: Path, begin: int, target: memoryview) -> None:
    done = 0
    while done < len(target):
        got = os.preadv(fd, [target[done:]], begin + done)
        if not got:
            raise DamagedError(path, f"ends at byte {begin + done}, in the middle of its contents")
        done += got
