"""Whether the files in a local array are those that its metadata describe. No voxel is read.

Chunks that lie elsewhere than the metadata say would be read as background.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snakemesh.chunk_files import COMPRESSED_SUFFIXES
from snakemesh.errors import UserError
from snakemesh.source.arrays import ArrayFacts
from snakemesh.source.documents import Node
from snakemesh.stored_array import DOCUMENTS
from snakemesh.zip_files import zip_file

# Files that are looked at in a folder. The first one that the metadata explain is enough.
MAX_ENTRIES = 1000
_NOT_CHUNKS = {*DOCUMENTS.values(), "provenance", "Thumbs.db"}
_SUFFIXES = "|".join(map(re.escape, COMPRESSED_SUFFIXES))
_SHARD = re.compile(r"[0-9a-f]+\.shard")
_SIDE = r"-?\d+--?\d+"
_PRECOMPUTED = re.compile("_".join([_SIDE] * 3))
_PRECOMPUTED_OTHERWISE = re.compile(f"{_SIDE}([_/]){_SIDE}\\1{_SIDE}(?:{_SUFFIXES})?")


def explained(node: Node, facts: ArrayFacts) -> tuple[dict[str, Any] | None, bool]:
    """The metadata of an array that explain its files, and whether these are `compressed_chunks`.

    zarr v2 arrays whose chunks lie in folders though the metadata do not say so, or the other way
    round, get the right separator. Only local folders are looked at. Raises UserError if there are
    files, none of which is a chunk.
    """
    if node.format == "precomputed":
        scale = node.document["scales"][node.scale or 0]
        folder = os.path.normpath(f"{node.path}/{scale['key']}")
    else:
        folder = node.path
    if not os.path.isabs(folder) or zip_file(folder) is not None:
        return facts.metadata, False
    names = itertools.islice(_names(folder), MAX_ENTRIES)
    if node.format == "precomputed":
        return None, _is_compressed(folder, scale.get("sharding") is not None, list(names))
    metadata, ndim = facts.metadata or {}, len(facts.shape)
    seen = []
    for name in names:
        seen.append(name)
        if _chunk_pattern(node.format, metadata, ndim).fullmatch(name):
            return metadata, False
    for separator in "./" if node.format == "zarr2" else "":
        changed = metadata | {"dimension_separator": separator}
        if any(map(_chunk_pattern("zarr2", changed, ndim).fullmatch, seen)):
            return changed, False
    if seen:
        raise _unexplained(folder, seen[0])
    return metadata, False


def _is_compressed(folder: str, is_sharded: bool, names: Sequence[str]) -> bool:
    """Whether a file of a precomputed scale is compressed as a whole, or lies in a folder."""
    wanted = _SHARD if is_sharded else _PRECOMPUTED
    others = (name for name in names if not wanted.fullmatch(name))
    is_compressed = not is_sharded and any(map(_PRECOMPUTED_OTHERWISE.fullmatch, others))
    if names and not is_compressed and not any(map(wanted.fullmatch, names)):
        raise _unexplained(folder, names[0])
    return is_compressed


def _chunk_pattern(format: str, metadata: Mapping[str, Any], ndim: int) -> re.Pattern[str]:
    """What the path of a chunk's file looks like, relative to the array."""
    separator, prefix = "/", ""
    if format == "zarr2":
        separator = metadata.get("dimension_separator", ".")
    elif format == "zarr3":
        encoding = metadata["chunk_key_encoding"]
        is_default = encoding["name"] == "default"
        configured = encoding.get("configuration") or {}
        separator = configured.get("separator", "/" if is_default else ".")
        prefix = f"c{re.escape(separator)}" if is_default else ""
    return re.compile(prefix + re.escape(separator).join([r"\d+"] * ndim))


def _names(folder: str) -> Iterator[str]:
    """The files in a folder and those below it, relative to it, but no hidden ones or documents."""
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            with os.scandir(f"{folder}/{prefix}") as entries:
                for entry in itertools.islice(entries, MAX_ENTRIES):
                    if entry.name.startswith(".") or entry.name in _NOT_CHUNKS:
                        continue
                    if entry.is_dir():
                        folders.append(f"{prefix}{entry.name}/")
                    else:
                        yield f"{prefix}{entry.name}"
        except OSError:
            continue


def _unexplained(folder: str, name: str) -> UserError:
    return UserError(
        f"config key input_path: {folder} holds files such as {name}, none of which its metadata "
        "describe: they would be read as background; correct the metadata, or copy the volume with "
        "the program that wrote it"
    )
