"""Bundles: the containers of several blocks as one, so that shard jobs open fewer files.

Each shard has fragments in nearly every block of a large volume. With 20,000 blocks and 1,024
shards, the shard jobs would open containers 60 million times. A bundle is a container too. A
section of it holds the records, the counts and the payload that the sections of its parts hold,
part by part. So it makes no difference to a shard which of them it is made from.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest, xxh3_128_digest

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import (
    COUNT,
    FRAGMENT,
    Section,
    counts_begin,
    counts_of,
    records_begin,
    section_of,
    whole_table,
)
from snakemesh.fragments.container_table import ENTRY, Origin, Table, table_bytes
from snakemesh.fragments.payload import payload_of, write_all
from snakemesh.output.atomic import replacing


@dataclass(frozen=True)
class _Part:
    """A container that is open."""

    fd: int
    path: Path
    table: Table


def write_bundle(path: str | os.PathLike[str], container_paths: Sequence[str]) -> Table:
    """Write the containers of some blocks of an LOD as one, whole or not at all. Returns its table.

    All parts are open at once. In memory are the tables, and the records and at most 16 MiB of
    the payload of one section. Every byte of the parts is checked. Raises DamagedError for a part
    that is gone, damaged, or made for another LOD or number of shards than the first.
    """
    with ExitStack() as stack:
        parts = [_opened(stack, Path(part)) for part in container_paths]
        for part in parts:
            if (part.table.lod, part.table.shards) != (parts[0].table.lod, parts[0].table.shards):
                raise DamagedError(part.path, "was made for another LOD or number of shards")
        with replacing(path) as temporary:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with open(fd, "wb", buffering=0) as file:
                table = _empty_table(parts)
                _copy_sections(file.fileno(), table, parts)
                write_all(file.fileno(), memoryview(table.packed()), 0)
    return table


def _opened(stack: ExitStack, path: Path) -> _Part:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None
    stack.callback(os.close, fd)
    return _Part(fd, path, whole_table(fd, path))


def _empty_table(parts: Sequence[_Part]) -> Table:
    """The table of the bundle, whose entries know their shards only."""
    tables = [part.table for part in parts]
    shards = np.unique(np.concatenate([table.entries["shard"] for table in tables]))
    entries = np.zeros(len(shards), ENTRY)
    entries["shard"] = shards
    records, counts = sum(t.records for t in tables), sum(t.counts for t in tables)
    begin = table_bytes(len(entries)) + records * FRAGMENT.itemsize + counts * COUNT.itemsize
    size = begin + sum(table.size - table.begin for table in tables)
    origins = [table.origin for table in tables]
    origin = Origin(
        how=xxh3_128_digest(b"".join(of.how for of in origins)),
        voxels=xxh3_128_digest(b"".join(of.voxels for of in origins)),
    )
    return Table(tables[0].lod, tables[0].shards, entries, records, counts, begin, size, origin)


def _copy_sections(fd: int, table: Table, parts: Sequence[_Part]) -> None:
    """Copy all sections, shard by shard, to their places in `fd`, and fill in the entries."""
    first = first_count = payload = 0
    for entry in table.entries:
        shard = int(entry["shard"])
        sections = [(part, section_of(part.fd, part.path, part.table, shard)) for part in parts]
        records = np.concatenate([section.records for _, section in sections])
        counts = np.concatenate([counts_of(p.fd, p.path, p.table, shard) for p in parts])
        sizes = records["size"].astype(np.int64)
        records["offset"] = payload + np.cumsum(sizes) - sizes
        of_records, of_counts = records.tobytes(), counts.tobytes()
        write_all(fd, memoryview(of_records), records_begin(table) + first * FRAGMENT.itemsize)
        write_all(fd, memoryview(of_counts), counts_begin(table) + first_count * COUNT.itemsize)
        entry["first"], entry["last"] = first, first + len(records)
        entry["first_count"], entry["last_count"] = first_count, first_count + len(counts)
        entry["of_records"] = xxh3_64_intdigest(of_records)
        entry["of_counts"] = xxh3_64_intdigest(of_counts)
        entry["of_payload"] = _copy_payload(fd, table.begin + payload, sections)
        first, first_count = first + len(records), first_count + len(counts)
        payload += int(sizes.sum())


def _copy_payload(fd: int, place: int, sections: Sequence[tuple[_Part, Section]]) -> int:
    """Copy the payload of sections one after another to a place in `fd`. Returns its checksum."""
    checksum = xxh3_64()
    for part, section in sections:
        if len(section.records):
            for _, _, data in payload_of(part.fd, section):
                checksum.update(data)
                write_all(fd, data, place)
                place += len(data)
    return checksum.intdigest()
