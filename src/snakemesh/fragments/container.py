"""Containers: the fragments of one block in one file, written by a `mesh_block` job.

The fragments are sorted by shard, so that a shard job reads one contiguous section of each
container. A container consists of a header and a table (`container_table`), one record per
fragment, one count per label and cell, the contacts between labels, and the payload: the Draco
bytes in the order of the records. All numbers are little-endian.

    header, table and checksum
    record   FRAGMENT, sorted by shard, then label, then Z-order of the cell
    count    COUNT, sorted by shard, then label, then Z-order of the cell; at LOD 0, and where
             another LOD is made of this one
    contact  CONTACT, sorted by shard, then the two labels, then their faces; at LOD 0 alone
    payload

The checksums are XXH3 of 64 bits (https://xxhash.com). Every reader of a section checks all of it.
A bundle (`bundle`) is a container of several blocks.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from snakemesh.errors import DamagedError
from snakemesh.fragments.contact import CONTACT, NO_CONTACTS
from snakemesh.fragments.container_table import (
    ENTRY,
    Origin,
    Table,
    read_bytes,
    read_table,
    table_bytes,
)
from snakemesh.fragments.octree import morton
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import Sharding
from snakemesh.output.atomic import replacing

# The record of one fragment: what one label has in one cell. Triples are x, y, z.
# cell: its index at the container's LOD. octants: bit x + 2y + 4z is set if the viewer draws a
# triangle of the fragment for that octant of the cell. volume (nm^3, signed), area (nm^2): the sums
# over the fragments of a label are those of the label. square: how far the fragment is from the
# surface of the voxels of s0: the mean square over its area, nm^2 (`mesh.surface_error`). lower,
# upper: the bounds of the vertices in steps of the cell (0 = near side, 65535 = far side). offset,
# size: place of the Draco bytes in the payload.
FRAGMENT = np.dtype(
    [
        ("label", "<u8"),
        ("cell", "<u4", (3,)),
        ("faces", "<u4"),
        ("octants", "u1"),
        ("volume", "<f8"),
        ("area", "<f8"),
        ("square", "<f8"),
        ("lower", "<u2", (3,)),
        ("upper", "<u2", (3,)),
        ("offset", "<u8"),
        ("size", "<u4"),
    ]
)
# The voxels of s0 that a label has in a cell. left_out: 0 for a label that is to be meshed, or else
# the number, from 1, in LIST_KEYS of the key that says no. moment: the sum of the voxels' centres,
# x y z, in cells from the origin of the octree. Where a coarse LOD is made of voxels of its level,
# each of them counts for the voxels of s0 that it covers. Only LOD 0 has the other two. second: the
# integrals of xx, yy, zz, xy, xz and yz over the voxels, from the lower corner of the cell, in
# units of SECOND_UNIT cells^2, which makes them whole numbers. border: how many of the voxels lie
# at the border of what is meshed.
SECOND_UNIT = 1 / (3 << 22)
COUNT = np.dtype(
    [
        ("label", "<u8"),
        ("cell", "<u4", (3,)),
        ("voxels", "<u8"),
        ("left_out", "u1"),
        ("moment", "<f8", (3,)),
        ("second", "<i8", (6,)),
        ("border", "<u4"),
    ]
)
NO_COUNTS = np.zeros(0, COUNT)


@dataclass(frozen=True)
class Rows:
    """A kind of rows in a container.

    name: in messages, and the field of `Table` with their number. first, last, checksum: the fields
    of ENTRY with the first row of a shard, the row after its last, and their checksum.
    """

    name: str
    dtype: np.dtype
    first: str
    last: str
    checksum: str


RECORDS = Rows("records", FRAGMENT, "first", "last", "of_records")
COUNTS = Rows("counts", COUNT, "first_count", "last_count", "of_counts")
CONTACTS = Rows("contacts", CONTACT, "first_contact", "last_contact", "of_contacts")
# In their order in the file
ALL_ROWS = (RECORDS, COUNTS, CONTACTS)


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
    contacts: np.ndarray = NO_CONTACTS,
) -> None:
    """Write the fragments of one block of one LOD, whole or not at all.

    `records` has dtype FRAGMENT and shape (n,). `blobs` holds the Draco bytes of each fragment, in
    the order of `records`. That order is free: this function sorts both. It also sets `offset` and
    `size` and ignores what the records hold there. `origin`: what the block was made from.
    `counts`: COUNT, a row for each label and cell. `contacts`: CONTACT.
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
    counts, count_starts = _by_shard(counts, sharding, morton(counts["cell"]), counts["label"])
    keys = (contacts[name] for name in ("link", "face", "other", "label"))
    contacts, contact_starts = _by_shard(contacts, sharding, *keys)
    all_rows = (records, counts, contacts)
    entries = _entries(all_rows, (starts, count_starts, contact_starts), blobs)
    begin = table_bytes(len(entries)) + sum(rows.nbytes for rows in all_rows)
    numbers = (len(records), len(counts), len(contacts), begin, begin + int(sizes.sum()))
    table = Table(lod, sharding.num_shards, entries, *numbers, origin)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(table.packed())
        for rows in all_rows:
            file.write(rows.tobytes())
        file.writelines(blobs)


def _by_shard(
    rows: np.ndarray, sharding: Sharding, *keys: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows by shard and keys, the last key first, and where those of each shard begin."""
    shards = shard_of(rows["label"], sharding)
    order = np.lexsort((*keys, shards))
    return rows[order], _shard_starts(shards[order], sharding)


def _shard_starts(shards: np.ndarray, sharding: Sharding) -> np.ndarray:
    """Where each shard begins in the ascending shards of rows, and where the last one ends."""
    return np.searchsorted(shards, np.arange(sharding.num_shards + 1))


def _entries(
    all_rows: Sequence[np.ndarray], all_starts: Sequence[np.ndarray], blobs: Sequence[bytes]
) -> np.ndarray:
    """The entries of the shards that there is anything of.

    all_rows: of each kind, in the order of ALL_ROWS. all_starts: where those of each shard begin,
    and the last end.
    """
    shards = np.flatnonzero(np.any([np.diff(starts) > 0 for starts in all_starts], axis=0))
    entries = np.zeros(len(shards), ENTRY)
    entries["shard"] = shards
    for kind, rows, starts in zip(ALL_ROWS, all_rows, all_starts, strict=True):
        entries[kind.first], entries[kind.last] = starts[shards], starts[shards + 1]
        for entry in entries:
            of_shard = rows[entry[kind.first] : entry[kind.last]]
            entry[kind.checksum] = xxh3_64_intdigest(of_shard.tobytes())
    for entry in entries:
        payload = xxh3_64()
        for blob in blobs[entry["first"] : entry["last"]]:
            payload.update(blob)
        entry["of_payload"] = payload.intdigest()
    return entries


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """What a container was made from, or None where it is no sound container of this version."""
    try:
        with open(path, "rb") as file:
            return read_table(file.fileno(), Path(path)).origin
    except (OSError, DamagedError):
        return None


@dataclass(frozen=True)
class Container:
    """A container that is open."""

    fd: int
    path: Path
    table: Table


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Container]:
    """A container, open while the context lasts.

    Raises DamagedError where it is not there, is none, is cut short, or its table is damaged.
    """
    path = Path(path)
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None
    try:
        yield Container(fd, path, read_table(fd, path))
    finally:
        os.close(fd)


def read_section(path: str | os.PathLike[str], shard: int) -> Section:
    """Read the records of one shard from a container. Raises DamagedError."""
    with opened(path) as container:
        return section_of(container, shard)


def rows_begin(table: Table, kind: Rows) -> int:
    """Where the rows of a kind begin in a container."""
    before = ALL_ROWS[: ALL_ROWS.index(kind)]
    sizes = (int(getattr(table, of.name)) * of.dtype.itemsize for of in before)
    return table_bytes(len(table.entries)) + sum(sizes)


def section_of(container: Container, shard: int) -> Section:
    """The records of one shard. Raises DamagedError."""
    table, records = container.table, rows_of(container, shard, RECORDS)
    of_payload = int(table.entry(shard)["of_payload"])
    return Section(container.path, table.lod, table.shards, records, table.begin, of_payload)


def rows_of(container: Container, shard: int, kind: Rows) -> np.ndarray:
    """The rows of one kind of one shard, (n,). Raises DamagedError."""
    path, table = container.path, container.table
    if not 0 <= shard < table.shards:
        raise DamagedError(path, f"was written for {table.shards} shards and has no shard {shard}")
    entry = table.entry(shard)
    first, last = int(entry[kind.first]), int(entry[kind.last])
    begin, size = rows_begin(table, kind), kind.dtype.itemsize
    data = read_bytes(container.fd, path, begin + first * size, (last - first) * size)
    if xxh3_64_intdigest(data) != entry[kind.checksum]:
        raise DamagedError(path, f"has damaged {kind.name} of shard {shard}")
    return np.frombuffer(data, kind.dtype)
