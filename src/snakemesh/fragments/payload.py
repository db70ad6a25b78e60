"""Stream the payload of a container: the Draco bytes of the fragments of a shard."""

import os
from collections.abc import Iterator

import numpy as np
from xxhash import xxh3_64

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import Section
from snakemesh.fragments.container_table import read_into

# At most this much of a payload is in memory at once, 16 MiB, unless one fragment is larger.
BLOCK_BYTES = 16 << 20


def payload_blocks(
    section: Section, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, memoryview]]:
    """Stream the bytes of the records of a section, front to back, a block at a time.

    Yields `(first, last, data)`: `data` holds the bytes of `records[first:last]`, without gaps,
    and is overwritten by the next block. Blocks are of at most `block_bytes`, or one fragment.
    Raises DamagedError where the container ends early or, at the end, where the bytes are not those
    that were written.
    """
    if len(section.records):
        with open(section.path, "rb", buffering=0) as file:
            yield from payload_of(file.fileno(), section, block_bytes)


def payload_of(
    fd: int, section: Section, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, int, memoryview]]:
    """The same, of a section of a container that is open, and has records."""
    records = section.records
    ends = records["offset"].astype(np.int64) + records["size"]
    begins = ends - records["size"]
    buffer = memoryview(bytearray(min(int(ends[-1] - begins[0]), block_bytes)))
    checksum = xxh3_64()
    first = 0
    while first < len(records):
        fits = int(np.searchsorted(ends, begins[first] + block_bytes, side="right"))
        last = max(fits, first + 1)
        size = int(ends[last - 1] - begins[first])
        if size > len(buffer):
            buffer = memoryview(bytearray(size))
        place = section.payload_begin + int(begins[first])
        read_into(fd, section.path, place, buffer[:size])
        checksum.update(buffer[:size])
        yield first, last, buffer[:size]
        first = last
    if checksum.intdigest() != section.payload_checksum:
        raise DamagedError(section.path, "has damaged fragments")


def write_all(fd: int, data: memoryview, place: int) -> None:
    """Write all of `data` at byte `place`. One system call may write only a part of it."""
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], place + done)
