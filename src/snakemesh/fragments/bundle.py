"""Bundles: the containers of several blocks as one, so that shard jobs open fewer files.

Each shard has fragments in nearly every block of a large volume. With 20,000 blocks and 1,024
shards, the shard jobs would open containers 60 million times. A bundle is a container too. A
section of it holds the records, counts, contacts and payload that the sections of its parts hold,
part by part. So it makes no difference to a shard which of them it is made from.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest, xxh3_128_digest

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import (
    ALL_ROWS,
    RECORDS,
    Container,
    Section,
    opened,
    rows_begin,
    rows_of,
    section_of,
)
from snakemesh.fragments.container_table import ENTRY, Origin, Table, table_bytes
from snakemesh.fragments.payload import payload_of, write_all
from snakemesh.output.atomic import replacing


def write_bundle(path: str | os.PathLike[str], container_paths: Sequence[str]) -> Table:
    """Write the containers of some blocks of an LOD as one, whole or not at all. Returns its table.

    All parts are open at once. In memory are the tables, and the records and at most 16 MiB of
    the payload of one section. Every byte of the parts is checked. Raises DamagedError for a part
    that is gone, damaged, or made for another LOD or number of shards than the first.
    """
    with ExitStack() as stack:
        parts = [stack.enter_context(opened(path)) for path in container_paths]
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


def _empty_table(parts: Sequence[Container]) -> Table:
    """The table of the bundle, whose entries know their shards only."""
    tables = [part.table for part in parts]
    shards = np.unique(np.concatenate([table.entries["shard"] for table in tables]))
    entries = np.zeros(len(shards), ENTRY)
    entries["shard"] = shards
    numbers = [sum(getattr(table, kind.name) for table in tables) for kind in ALL_ROWS]
    rows = sum(n * kind.dtype.itemsize for n, kind in zip(numbers, ALL_ROWS, strict=True))
    begin = table_bytes(len(entries)) + rows
    size = begin + sum(table.size - table.begin for table in tables)
    origins = [table.origin for table in tables]
    origin = Origin(
        how=xxh3_128_digest(b"".join(of.how for of in origins)),
        voxels=xxh3_128_digest(b"".join(of.voxels for of in origins)),
    )
    records, counts, contacts = numbers
    place = (begin, size, origin)
    return Table(tables[0].lod, tables[0].shards, entries, records, counts, contacts, *place)


def _copy_sections(fd: int, table: Table, parts: Sequence[Container]) -> None:
    """Copy all sections, shard by shard, to their places in `fd`, and fill in the entries."""
    payload, done = 0, dict.fromkeys(ALL_ROWS, 0)
    for entry in table.entries:
        shard = int(entry["shard"])
        sections = [(part, section_of(part, shard)) for part in parts]
        for kind in ALL_ROWS:
            found = [rows_of(part, shard, kind) for part in parts]
            rows = np.concatenate(found)
            if kind is RECORDS:
                sizes = rows["size"].astype(np.int64)
                rows["offset"] = payload + np.cumsum(sizes) - sizes
            data = rows.tobytes()
            place = rows_begin(table, kind) + done[kind] * kind.dtype.itemsize
            write_all(fd, memoryview(data), place)
            entry[kind.first], entry[kind.last] = done[kind], done[kind] + len(rows)
            entry[kind.checksum] = xxh3_64_intdigest(data)
            done[kind] += len(rows)
        entry["of_payload"] = _copy_payload(fd, table.begin + payload, sections)
        payload += sum(int(section.records["size"].sum(dtype=np.int64)) for _, section in sections)


def _copy_payload(fd: int, place: int, sections: Sequence[tuple[Container, Section]]) -> int:
    """Copy the payload of sections one after another to a place in `fd`. Returns its checksum."""
    checksum = xxh3_64()
    for part, section in sections:
        if len(section.records):
            for _, _, data in payload_of(part.fd, section):
                checksum.update(data)
                write_all(fd, data, place)
                place += len(data)
    return checksum.intdigest()
