"""Fragment containers: what one `mesh_block` job made, sorted so that a shard is one section.

A container is one file: a header, a table of where the records of each shard begin, the records,
and the Draco bytes (the payload) in the order of the records. All numbers are little-endian.

    8s  magic     u32 version   u32 LOD   u64 shards   u64 records   u64 payload begin   u64 size
    u64 x (shards + 1)          first record of each shard, and the number of records
    FRAGMENT x records          by shard, then label, then Z-order of the cell
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

# One fragment of one label. `cell` x y z at the container's LOD. `octants`: bit x + 2y + 4z is set
# where the viewer draws a triangle of the fragment for that octant. `volume` (nm^3, signed) and
# `area` (nm^2) add up over fragments. `lower` and `upper` bound the vertices on the lattice of the
# cell (65535 = far side), x y z. `offset` and `size` place its Draco bytes in the payload.
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


def write_container(
    path: str | os.PathLike,
    lod: int,
    records: np.ndarray,
    blobs: Sequence[bytes],
    sharding: Sharding,
) -> None:
    """Write the fragments of one LOD, whole or not at all.

    `records` is of dtype FRAGMENT and shape (n,); `blobs` holds the Draco bytes of each, in the
    same order. Their order is free, and their `offset` and `size` are ignored: both are set here.
    Raises ValueError for an empty blob or two fragments of one label in one cell.
    """
    if len(records) != len(blobs):
        raise ValueError(f"{len(records)} records, but the bytes of {len(blobs)} fragments")
    shards = shard_of(records["label"], sharding)
    order = np.lexsort((morton(records["cell"]), records["label"], shards))
    table = np.searchsorted(shards[order], np.arange(sharding.num_shards + 1)).astype("<u8")
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


def read_section(path: str | os.PathLike, shard: int) -> tuple[int, np.ndarray, int]:
    """Read the LOD of a container, the records of one shard, and where the payload begins.

    Nothing else of the file is read. The bytes of record r are those of the file from
    `payload_begin + r["offset"]` on; the records' bytes follow each other without a gap.
    Raises UserError naming the file where it is no container, is cut short, or is damaged.
    """
    with open(path, "rb", buffering=0) as file:
        fd = file.fileno()
        data = os.pread(fd, _HEADER.size, 0)
        if len(data) < _HEADER.size or data[: len(_MAGIC)] != _MAGIC:
            raise _damaged(path, "is no fragment container")
        _, version, lod, shards, count, begin, size = _HEADER.unpack(data)
        if version != _VERSION:
            raise _damaged(path, f"is a fragment container of version {version}, not {_VERSION}")
        if os.fstat(fd).st_size != size:
            raise _damaged(path, f"has {os.fstat(fd).st_size} bytes, its header says {size}")
        if not 0 <= shard < shards:
            raise _damaged(path, f"was written for {shards} shards and has no shard {shard}")
        first, last = np.frombuffer(_read(fd, path, _HEADER.size + 8 * shard, 16), "<u8").tolist()
        records_begin = _HEADER.size + 8 * (shards + 1)
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
    path: str | os.PathLike, records: np.ndarray, payload_begin: int, block_bytes: int = 16 << 20
) -> Iterator[tuple[int, int, memoryview]]:
    """Stream the bytes of the records of a section, front to back, a block at a time.

    Yields `(first, last, data)`: `data` holds the bytes of `records[first:last]`, without gaps,
    and is overwritten by the next block. Blocks are of at most `block_bytes`, or one fragment.
    Raises UserError naming the file where it ends early.
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


def _read(fd: int, path: str | os.PathLike, begin: int, size: int) -> bytearray:
    data = bytearray(size)
    _read_into(fd, path, begin, memoryview(data))
    return data


def _read_into(fd: int, path: str | os.PathLike, begin: int, target: memoryview) -> None:
    done = 0
    while done < len(target):
        got = os.preadv(fd, [target[done:]], begin + done)
        if not got:
            raise _damaged(path, f"ends at byte {begin + done}, in the middle of its contents")
        done += got


def _damaged(path: str | os.PathLike, found: str) -> UserError:
    return UserError(
        f"{Path(path)} {found}; expected a complete container of this run: delete it and run again"
    )
