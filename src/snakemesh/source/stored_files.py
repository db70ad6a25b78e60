"""Whether the files in a local array are those that its metadata describe.

Chunks that lie elsewhere than the metadata say would be read as background.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO

from snakemesh.chunk_files import COMPRESSED_SUFFIXES, grid_of, refuse_dead_link
from snakemesh.errors import UserError
from snakemesh.source.arrays import ArrayFacts
from snakemesh.source.chunk_shards import chunk_shards
from snakemesh.source.documents import Node
from snakemesh.source.shard_check import Part, refuse_misfit
from snakemesh.stored_array import DOCUMENTS
from snakemesh.zip_files import zip_file

# Files that are looked at in a folder. The first one that the metadata explain is enough.
MAX_ENTRIES = 1000
_NOT_CHUNKS = {*DOCUMENTS.values(), "provenance", "Thumbs.db"}
_SUFFIXES = "|".join(map(re.escape, COMPRESSED_SUFFIXES))
_SIDE = r"(-?\d+)-(-?\d+)"
_PRECOMPUTED = re.compile(f"{_SIDE}([_/]){_SIDE}\\3{_SIDE}({_SUFFIXES})?")


def explained(node: Node, facts: ArrayFacts) -> tuple[dict[str, Any] | None, bool]:
    """The metadata of an array that explain its files, and whether these are `compressed_chunks`.

    zarr v2 arrays whose chunks lie in folders though the metadata do not say so, or the other way
    round, get the right separator. Only local folders are looked at. Raises UserError if there are
    files, none of which is a chunk, if only some chunks of zarr v2 lie in folders, if the shards of
    a precomputed volume hold other chunks than the metadata say, or for a link to a missing file.
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
        return None, _is_compressed(folder, scale, list(names))
    metadata = facts.metadata or {}
    if node.format == "zarr2":
        return _with_separator(folder, metadata, list(names)), False
    seen, pattern = [], _chunk_pattern(node.format, metadata)
    for name in names:
        seen.append(name)
        if pattern.fullmatch(name) and (node.format != "n5" or _is_block(folder, name, metadata)):
            return metadata, False
    if seen:
        raise _unexplained(folder, seen[0])
    return metadata, False


def _is_block(folder: str, name: str, metadata: Mapping[str, Any]) -> bool:
    """Whether an N5 block has the size of its place in the grid, cut at the array's end or not.

    Its header says it: https://github.com/saalfeldlab/n5#file-system-specification
    """
    numbers = [int(number) for number in name.split("/")]
    try:
        with open(f"{folder}/{name}", "rb") as file:
            header = file.read(4 + 4 * len(numbers))
    except OSError:
        return True
    sizes = [int.from_bytes(header[i : i + 4], "big") for i in range(4, len(header), 4)]
    # a block that is broken is refused when it is read
    axes = zip(numbers, sizes, metadata["blockSize"], metadata["dimensions"], strict=False)
    return all(size in (block, min(block, n - i * block)) for i, size, block, n in axes)


def _with_separator(folder: str, metadata: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The metadata of a zarr v2 array with the separator that its files have."""
    found = {}
    for separator in "./":
        changed = metadata | {"dimension_separator": separator}
        pattern = _chunk_pattern("zarr2", changed)
        if (name := next(filter(pattern.fullmatch, names), None)) is not None:
            found[separator] = name
    if len(found) > 1:
        flat, nested = found.values()
        raise UserError(
            f"config key input_path: {folder} holds chunks named {flat} and chunks in folders, "
            f"{nested}: only one kind can be read; copy the volume with the program that wrote it"
        )
    if names and not found:
        raise _unexplained(folder, names[0])
    if not found or metadata.get("dimension_separator", ".") in found:
        return metadata
    return metadata | {"dimension_separator": next(iter(found))}


def _is_compressed(folder: str, scale: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether a file of a precomputed scale is compressed as a whole, or lies in a folder."""
    if scale.get("sharding") is not None:
        _refuse_misfit_of_shards(folder, scale, names)
        return False
    grids = scale.get("chunk_sizes") or [scale["chunk_size"]]
    wanted = [name for name in names if _is_chunk(name, scale, grids[:1])]
    others = (name for name in names if _PRECOMPUTED.fullmatch(name))
    odd = next((name for name in others if not _is_chunk(name, scale, grids)), None)
    if wanted and odd:
        raise UserError(
            f"config key input_path: {folder} holds the chunk {odd}, which does not fit the "
            "size, offset and chunk size in the metadata; correct them, or remove the file"
        )
    if names and not wanted:
        raise _unexplained(folder, names[0])
    return any("/" in name or name.endswith(COMPRESSED_SUFFIXES) for name in wanted)


def _refuse_misfit_of_shards(folder: str, scale: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise UserError if the shards of a precomputed scale are not those of its metadata."""
    if (shards := chunk_shards(scale)) is None:
        return
    if not refuse_misfit(folder, shards, names, partial(_parts, folder)) and names:
        raise _unexplained(folder, names[0])


def _parts(folder: str, parts: Sequence[Part]) -> list[bytes | None]:
    """Parts of files in a folder, see `shard_check.Reader`.

    Files that cannot be read count as missing: they are refused when their voxels are read.
    """
    found: list[bytes | None] = []
    for name, same in itertools.groupby(parts, key=lambda part: part[0]):
        ranges = [(begin, end - begin) for _, begin, end in same]
        try:
            with open(f"{folder}/{name}", "rb") as file:
                found += [_part(file, begin, size) for begin, size in ranges]
        except (OSError, OverflowError):
            found += [None] * len(ranges)
    return found


def _part(file: BinaryIO, begin: int, size: int) -> bytes:
    file.seek(begin)
    return file.read(size)


def _is_chunk(name: str, scale: Mapping[str, Any], grids: Sequence[Sequence[int]]) -> bool:
    """Whether a name is that of a chunk of a precomputed scale, x y z. grids: sizes of chunks."""
    if (found := _PRECOMPUTED.fullmatch(name)) is None:
        return False
    begins, ends = ([int(found[i]) for i in sides] for sides in ((1, 4, 6), (2, 5, 7)))
    origin, size = scale.get("voxel_offset", (0, 0, 0)), scale["size"]
    return any(
        all(
            (b - o) % chunk == 0 and e - o == min(b - o + chunk, n)
            for b, e, o, chunk, n in zip(begins, ends, origin, grid, size, strict=True)
        )
        for grid in grids
    )


def _chunk_pattern(format: str, metadata: Mapping[str, Any]) -> re.Pattern[str]:
    """What the path of a chunk's file looks like, relative to the array."""
    shape, _, name = grid_of(format, metadata)
    return re.compile(re.escape(name(["0"] * len(shape))).replace("0", r"\d+"))


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
                    if entry.is_symlink():
                        refuse_dead_link(entry.path)
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
