"""Containers: the fragments of one block in one file, written by a `mesh_block` job.

The fragments are sorted by shard, so that a shard job reads one contiguous section of each
container. A container consists of a header, a table that says where the records of each shard
begin, one record per fragment, and the payload: the Draco bytes in the order of the records. All
numbers are little-endian. "payload begin" is a position in the file, "size" the size of the file.

    8s  magic     u32 version   u32 LOD   u64 shards   u64 records   u64 payload begin   u64 size
    u64 x (shards + 1)          first record of each shard, then the number of records
    FRAGMENT x records          sorted by shard, then label, then Z-order of the cell
    payload
"""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from snakemesh.errors import UserError
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
_VERSION = 1
_HEADER = struct.Struct("<8sIIQQQQ")
_TABLE_ENTRY = np.dtype("<u8")

# At most this much of a payload is in memory at once, 16 MiB, unless one fragment is larger.
BLOCK_BYTES = 16 << 20


def write_container(
    path: str | os.PathLike[str],
    lod: int,
    records: np.ndarray,
    blobs: Sequence[bytes],
    sharding: Sharding,
) -> None:
    """Write the fragments of one block of one LOD, whole or not at all.

    `records` has dtype FRAGMENT and shape (n,). `blobs` holds the Draco bytes of each fragment, in
    the order of `records`. That order is free: this function sorts both. It also sets `offset` and
    `size` and ignores what the records hold there.
    Raises ValueError if the lengths differ, a blob is empty, or one label has two fragments in one
    cell.
    """
    if len(records) != len(blobs):
        raise ValueError(f"{len(records)} records, but the bytes of {len(blobs)} fragments")
    shards = shard_of(records["label"], sharding)
    order = np.lexsort((morton(records["cell"]), records["label"], shards))
    table = np.searchsorted(shards[order], np.arange(sharding.num_shards + 1)).astype(_TABLE_ENTRY)
    records = records[order]
    same = (records["label"][1:] == records["label"][:-1]) & (
        records["cell"][1:] == records["cell"][:-1]
    ).all(axis=1)
    if same.any():
        raise ValueError(f"two fragments of one cell: {records[:-1][same][0]}")
    sizes = np.array([len(blobs[i]) for i in order], np.int64)
    if not sizes.all():
        raise ValueError(f"a fragment without bytes: {records[sizes == 0][0]}")
    records["size"] = sizes
    records["offset"] = np.cumsum(sizes) - sizes
    begin = _HEADER.size + table.nbytes + records.nbytes
    header = (_MAGIC, _VERSION, lod, sharding.num_shards, len(records), begin)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(_HEADER.pack(*header, begin + int(sizes.sum())))
        file.write(table.tobytes())
        file.write(records.tobytes())
        file.writelines(blobs[i] for i in order)


def read_section(path: str | os.PathLike[str], shard: int) -> tuple[int, np.ndarray, int]:
    """Read the section of one shard: its records, but not its payload.

    Returns the LOD of the container, the records of the shard (FRAGMENT, shape (n,)), and the
    byte of the file at which the payload begins, `payload_begin`. The Draco bytes of record r are
    the `r["size"]` bytes of the file from `payload_begin + r["offset"]` on. Those of the next
    record follow without a gap.
    Raises UserError that names the file if it is no container, is cut short, is damaged, or was
    written for fewer shards.
    """
    with open(path, "rb", buffering=0) as file:
        fd = file.fileno()
        header = os.pread(fd, _HEADER.size, 0)
        if len(header) < _HEADER.size or header[: len(_MAGIC)] != _MAGIC:
            raise _damaged(path, "is no fragment container")
        _, version, lod, shards, count, begin, size = _HEADER.unpack(header)
        if version != _VERSION:
            raise _damaged(path, f"is a fragment container of version {version}, not {_VERSION}")
        if os.fstat(fd).st_size != size:
            raise _damaged(path, f"has {os.fstat(fd).st_size} bytes, its header says {size}")
        if not 0 <= shard < shards:
            raise _damaged(path, f"was written for {shards} shards and has no shard {shard}")
        entry = _TABLE_ENTRY.itemsize
        bounds = _read(fd, path, _HEADER.size + entry * shard, 2 * entry)
        first, last = np.frombuffer(bounds, _TABLE_ENTRY).tolist()
        records_begin = _HEADER.size + entry * (shards + 1)
        if not first <= last <= count or records_begin + count * FRAGMENT.itemsize != begin:
            raise _damaged(path, "has a table that does not fit its records")
        data = _read(
            fd, path, records_begin + first * FRAGMENT.itemsize, (last - first) * FRAGMENT.itemsize
        )
    records = np.frombuffer(data, FRAGMENT)
    end = records["offset"].astype(np.int64) + records["size"]
    if len(end) and (np.any(end[:-1] != records["offset"][1:]) or end[-1] > size - begin):
        raise _damaged(path, "has records that do not fit its payload")
    return lod, records, begin


def payload_blocks(
    path: str | os.PathLike[str],
    records: np.ndarray,
    payload_begin: int,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[int, int, memoryview]]:
    """Stream the payload of a section, front to back, one block of bytes at a time.

    `records` and `payload_begin` are those that `read_section` returns. A block has at most
    `block_bytes` bytes, or more if it is a single fragment.
    Yields `(first, last, data)`: `data` holds the bytes of `records[first:last]` without gaps.
    The next block overwrites it.
    Raises UserError that names the file if it ends early.
    """
    if not len(records):
        return
    ends = records["offset"].astype(np.int64) + records["size"]
    begins = ends - records["size"]
    buffer = memoryview(bytearray(min(int(ends[-1] - begins[0]), block_bytes)))
    with open(path, "rb", buffering=0) as file:
        first = 0
        while first < len(records):
            fits = int(np.searchsorted(ends, begins[first] + block_bytes, side="right"))
            last = max(fits, first + 1)
            size = int(ends[last - 1] - begins[first])
            if size > len(buffer):
                buffer = memoryview(bytearray(size))
            _read_into(file.fileno(), path, payload_begin + int(begins[first]), buffer[:size])
            yield first, last, buffer[:size]
            first = last


def _read(fd: int, path: str | os.PathLike[str], begin: int, size: int) -> bytearray:
    data = bytearray(size)
    _read_into(fd, path, begin, memoryview(data))
    return data


def _read_into(fd: int, path: str | os.PathLike[str], begin: int, target: memoryview) -> None:
    done = 0
    while done < len(target):
        got = os.preadv(fd, [target[done:]], begin + done)
        if not got:
            raise _damaged(path, f"ends at byte {begin + done}, in the middle of its contents")
        done += got


def _damaged(path: str | os.PathLike[str], found: str) -> UserError:
    return UserError(
        f"{Path(path)} {found}; expected a complete container of this run: delete it and run again"
    )
