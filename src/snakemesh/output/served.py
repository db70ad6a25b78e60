"""The served files, and whether they still are what was written.

Each plan checks the size and the ends of every file. A shard has its indices at its ends, so a copy
that was cut short or a disk that lost power shows there. The checksum of the whole file is for
`snakemake verify`, which reads it all.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_64

# Bytes at either end of a file that are checked.
PROBE_BYTES = 1 << 16
BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class Served:
    """A file as it was written: its size in bytes, and XXH3 (64 bits) of its ends and of it all."""

    size: int
    ends: str
    checksum: str


def served_file(path: str | os.PathLike[str]) -> Served:
    """The record of a file as it is now. Reads the file once."""
    checksum = xxh3_64()
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            checksum.update(block)
    return Served(os.path.getsize(path), _ends(path), checksum.hexdigest())


def what_is_wrong(path: str | os.PathLike[str], record: Mapping[str, Any]) -> str | None:
    """How the size or the ends of a file differ from its record, in words; None if they do not."""
    try:
        size = os.path.getsize(path)
        if size != record["size"]:
            return f"{Path(path)} has {size} bytes, {record['size']} were written"
        if _ends(path) != record["ends"]:
            return f"{Path(path)} is not what was written"
    except OSError:
        return f"{Path(path)} is gone"
    except KeyError:
        return f"there is no record of {Path(path)}"
    return None


def differs(path: str | os.PathLike[str], record: Mapping[str, Any]) -> str | None:
    """How a file differs from its record, in words; None if it does not. Reads the whole file."""
    found = what_is_wrong(path, record)
    if found is None and served_file(path).checksum != record.get("checksum"):
        return f"{Path(path)} is not what was written"
    return found


def served_labels(paths: Sequence[str]) -> dict[str, int | str]:
    """The record of the files of labels: their number and bytes, and XXH3 of all in this order."""
    checksum = xxh3_64()
    for path in paths:
        checksum.update(Path(path).read_bytes())
    size = sum(map(os.path.getsize, paths))
    return {"files": len(paths), "size": size, "checksum": checksum.hexdigest()}


def _ends(path: str | os.PathLike[str]) -> str:
    found = xxh3_64()
    with open(path, "rb") as file:
        found.update(file.read(PROBE_BYTES))
        file.seek(max(os.path.getsize(path) - PROBE_BYTES, 0))
        found.update(file.read(PROBE_BYTES))
    return found.hexdigest()
