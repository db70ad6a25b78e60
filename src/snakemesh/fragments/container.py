"""Containers: the fragments of one block in one file, written by a `mesh_block` job.

The fragments are sorted by shard, so that a shard job reads one contiguous section of each
container. A container consists of a header and a table (`container_table`), one record per
fragment, one count per label and cell, and the payload: the Draco bytes in the order of the
records. All numbers are little-endian.

    header, table and checksum
    record   FRAGMENT, sorted by shard, then label, then Z-order of the cell
    count    COUNT, sorted by shard, then label, then Z-order of the cell; none where no other LOD
             is made of this one, but for LOD 0
    payload

The checksums are XXH3 of 64 bits (https://xxhash.com). Who reads a section checks all of it. A
bundle (`bundle`) is a container of several blocks.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from snakemesh.errors import DamagedError
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
    entries = _entries(starts, count_starts)
    _add_checksums(entries, records, blobs, counts)
    begin = table_bytes(len(entries)) + records.nbytes + counts.nbytes
    numbers = (len(records), len(counts), begin, begin + int(sizes.sum()))
    table = Table(lod, sharding.num_shards, entries, *numbers, origin)
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(table.packed())
        file.write(records.tobytes())
        file.write(counts.tobytes())
        file.writelines(blobs)


def _by_shard(counts: np.ndarray, sharding: Sharding) -> tuple[np.ndarray, np.ndarray]:
    """Counts by shard, label and Z-order of the cell, and where those of each shard begin."""
    shards = shard_of(counts["label"], sharding)
    order = np.lexsort((morton(counts["cell"]), counts["label"], shards))
    return counts[order], _shard_starts(shards[order], sharding)


def _shard_starts(shards: np.ndarray, sharding: Sharding) -> np.ndarray:
    """Where each shard begins in the ascending shards of rows, and where the last one ends."""
    return np.searchsorted(shards, np.arange(sharding.num_shards + 1))


def _entries(starts: np.ndarray, count_starts: np.ndarray) -> np.ndarray:
    """The entries of the shards that there is anything of, without checksums.

    starts, count_starts: where the records and the counts of each shard begin, and the last end.
    """
    shards = np.flatnonzero((np.diff(starts) > 0) | (np.diff(count_starts) > 0))
    entries = np.zeros(len(shards), ENTRY)
    entries["shard"] = shards
    entries["first"], entries["last"] = starts[shards], starts[shards + 1]
    entries["first_count"], entries["last_count"] = count_starts[shards], count_starts[shards + 1]
    return entries


def _add_checksums(
    entries: np.ndarray, records: np.ndarray, blobs: Sequence[bytes], counts: np.ndarray
) -> None:
    for entry in entries:
        payload = xxh3_64()
        for blob in blobs[entry["first"] : entry["last"]]:
            payload.update(blob)
        of_shard = records[entry["first"] : entry["last"]]
        counted = counts[entry["first_count"] : entry["last_count"]]
        entry["of_records"] = xxh3_64_intdigest(of_shard.tobytes())
        entry["of_payload"] = payload.intdigest()
        entry["of_counts"] = xxh3_64_intdigest(counted.tobytes())


def read_origin(path: str | os.PathLike[str]) -> Origin | None:
    """What a container was made from, or None where it is no sound container of this version."""
    try:
        with open(path, "rb") as file:
            return read_table(file.fileno(), Path(path)).origin
    except (OSError, DamagedError):
        return None


def read_section(path: str | os.PathLike[str], shard: int) -> Section:
    """Read the records of one shard from a container, and nothing else of it.

    Raises DamagedError where the container is not there, is none, is cut short, or is damaged.
    """
    path = Path(path)
    try:
        with open(path, "rb", buffering=0) as file:
            return section_of(file.fileno(), path, whole_table(file.fileno(), path), shard)
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None


def read_counts(path: str | os.PathLike[str], shard: int, lod: int | None = None) -> np.ndarray:
    """Read the counts of one shard from a container: COUNT, by label and cell.

    lod: the container of another LOD counts nothing. Raises DamagedError as `read_section` does.
    """
    path = Path(path)
    try:
        with open(path, "rb", buffering=0) as file:
            table = whole_table(file.fileno(), path)
            if lod not in (None, table.lod):
                return NO_COUNTS
            return counts_of(file.fileno(), path, table, shard)
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None


def whole_table(fd: int, path: Path) -> Table:
    """The table of an open container. Raises DamagedError if its records and counts do not fit."""
    table = read_table(fd, path)
    entries = table.entries
    fits = (entries["first"] <= entries["last"]) & (entries["last"] <= table.records)
    fits &= entries["first_count"] <= entries["last_count"]
    fits &= entries["last_count"] <= table.counts
    if not fits.all() or counts_begin(table) + table.counts * COUNT.itemsize != table.begin:
        raise DamagedError(path, "has a table that does not fit its records")
    return table


def records_begin(table: Table) -> int:
    """Where the records of a container begin."""
    return table_bytes(len(table.entries))


def counts_begin(table: Table) -> int:
    """Where the counts of a container begin."""
    return records_begin(table) + table.records * FRAGMENT.itemsize


def section_of(fd: int, path: Path, table: Table, shard: int) -> Section:
    """The records of one shard in an open container. Raises DamagedError."""
    entry = _entry_of(path, table, shard)
    first, last = int(entry["first"]), int(entry["last"])
    place = records_begin(table) + first * FRAGMENT.itemsize
    data = read_bytes(fd, path, place, (last - first) * FRAGMENT.itemsize)
    if xxh3_64_intdigest(data) != entry["of_records"]:
        raise DamagedError(path, f"has damaged records of shard {shard}")
    records = np.frombuffer(data, FRAGMENT)
    end = records["offset"].astype(np.int64) + records["size"]
    if len(end) and (
        np.any(end[:-1] != records["offset"][1:]) or end[-1] > table.size - table.begin
    ):
        raise DamagedError(path, "has records that do not fit its payload")
    of_payload = int(entry["of_payload"])
    return Section(path, table.lod, table.shards, records, table.begin, of_payload)


def counts_of(fd: int, path: Path, table: Table, shard: int) -> np.ndarray:
    """The counts of one shard in an open container: COUNT, (n,). Raises DamagedError."""
    entry = _entry_of(path, table, shard)
    first, last = int(entry["first_count"]), int(entry["last_count"])
    place = counts_begin(table) + first * COUNT.itemsize
    data = read_bytes(fd, path, place, (last - first) * COUNT.itemsize)
    if xxh3_64_intdigest(data) != entry["of_counts"]:
        raise DamagedError(path, f"has damaged counts of shard {shard}")
    return np.frombuffer(data, COUNT)


def _entry_of(path: Path, table: Table, shard: int) -> np.void:
    if not 0 <= shard < table.shards:
        raise DamagedError(path, f"was written for {table.shards} shards and has no shard {shard}")
    return table.entry(shard)
