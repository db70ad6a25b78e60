"""The files that hold the chunks of a local array, with their sizes and dates.

Planning and jobs both look at the input this way: planning to see what has changed since a product
was made, a job to see that nothing changes while it reads. Arrays are z y x.

Formats: zarr v2 and v3 (https://zarr-specs.readthedocs.io), N5 (https://github.com/saalfeldlab/n5),
Neuroglancer precomputed (volume.md in
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed).
"""

import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemesh.boxes import Box, Index, Shape, ceil_div, triple
from snakemesh.errors import UserError

# Threads that ask a filesystem: on a network filesystem each question waits for a server.
_THREADS = 16
_AXES = 3


@dataclass(frozen=True)
class ChunkFiles:
    """Where the chunks of an array are.

    root: the folder. shape, chunk: voxels of the array and of what one file holds, which is a shard
    where chunks are in shards. name: of a chunk's file, to be formatted with `i` (z y x index),
    `b` and `e` (z y x voxels where the chunk begins and ends, counted from `origin`); None where
    all files together hold all chunks, as precomputed shards do.
    """

    root: str
    shape: Shape
    chunk: Shape
    name: str | None
    origin: Shape = (0, 0, 0)

    @property
    def grid(self) -> Shape:
        """Number of chunks along each axis."""
        return ceil_div(self.shape, self.chunk)

    def path(self, index: Index) -> str:
        """The file of a chunk, or the folder of all of them."""
        if self.name is None:
            return self.root
        begin = [i * c + o for i, c, o in zip(index, self.chunk, self.origin, strict=True)]
        ends = zip(index, self.chunk, self.shape, self.origin, strict=True)
        end = [min((i + 1) * c, n) + o for i, c, n, o in ends]
        return f"{self.root}/{self.name.format(i=index, b=begin, e=end)}"

    def indices_of(self, box: Box) -> Box:
        """The box of chunks that hold a box of voxels, which may reach beyond the array."""
        ends = zip(box[1], self.shape, strict=True)
        return (
            triple(max(b, 0) // c for b, c in zip(box[0], self.chunk, strict=True)),
            ceil_div((min(max(e, 0), n) for e, n in ends), self.chunk),
        )


def chunk_files(
    format: str, path: str, documents: Mapping[str, Any], scale_key: str | None
) -> ChunkFiles | None:
    """The files of a local array, from its own documents; None where its files cannot be told.

    format: as worldarray names it. documents: by file name, as worldarray's `detect` gives them.
    scale_key: of a scale of a precomputed volume.
    """
    if not os.path.isabs(path):
        return None
    try:
        if format == "zarr2":
            return _zarr2(path, documents[".zarray"])
        if format == "zarr3":
            return _zarr3(path, documents["zarr.json"])
        if format == "n5":
            return _n5(path, documents["attributes.json"])
        return _precomputed(path, documents["info"], scale_key)
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, StopIteration):
        return None


@dataclass(frozen=True)
class Watch:
    """The chunks that a job reads, and what their stamps were when the job was planned."""

    files: ChunkFiles
    chunks: Box
    digest: str

    def refuse_change(self) -> None:
        """Raise UserError where a chunk is not any more what it was."""
        if digest(stamps(self.files, self.chunks)) != self.digest:
            raise UserError(
                f"the input {self.files.root} has changed while the run was going on; give the "
                "same command again, which makes anew what the change touches"
            )


def stamps(files: ChunkFiles, chunks: Box, with_dates: bool = True) -> np.ndarray:
    """A number for every chunk of a box of chunks: uint64, 0 where there is no file.

    It stands for the file's size and, unless told otherwise, its date of change to the nanosecond.
    Two files that differ have the same number by chance once in 2^63.
    """
    shape = triple(max(e - b, 0) for b, e in zip(*chunks, strict=True))
    found = np.zeros(shape, np.uint64)
    if files.name is None:
        found[...] = _folder_stamp(files.root)
        return found
    z, y, x = (range(b, e) for b, e in zip(*chunks, strict=True))
    with ThreadPoolExecutor(_THREADS) as pool:
        row_stamps = pool.map(
            lambda zy: [_file_stamp(files.path((*zy, i)), with_dates) for i in x],
            itertools.product(z, y),
        )
        for row, values in zip(found.reshape(-1, shape[2]), row_stamps, strict=True):
            row[:] = values
    return found


def sizes_digest(files: ChunkFiles, chunks: Box) -> str:
    """Which chunks of a box of chunks are stored, and how large they are."""
    return digest(stamps(files, chunks, with_dates=False))


def digest(found: np.ndarray) -> str:
    """What the stamps of a box say, as 16 hexadecimal digits."""
    return hashlib.sha256(repr(found.shape).encode() + found.tobytes()).hexdigest()[:16]


def _file_stamp(path: str, with_date: bool) -> int:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return _mixed(found.st_size, found.st_mtime_ns if with_date else 0)


def _folder_stamp(root: str) -> int:
    """One number for all files of a folder, in whatever order they are listed."""

    def entries() -> Iterator[tuple[str, int, int]]:
        with os.scandir(root) as listed:
            for entry in listed:
                found = entry.stat()
                yield entry.name, found.st_size, found.st_mtime_ns

    text = repr(sorted(entries())).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") | 1


def _mixed(size: int, mtime_ns: int) -> int:
    """64 bits of two numbers, never 0; the multipliers are those of SplitMix64."""
    mixed = (mtime_ns * 0xBF58476D1CE4E5B9 ^ size * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ (mixed >> 31)) | 1


def _zarr2(path: str, array: Mapping[str, Any]) -> ChunkFiles:
    separator = array.get("dimension_separator", ".")
    leading = ["0"] * (len(array["shape"]) - _AXES)
    return ChunkFiles(
        root=path,
        shape=triple(map(int, array["shape"][-_AXES:])),
        chunk=triple(map(int, array["chunks"][-_AXES:])),
        name=separator.join([*leading, "{i[0]}", "{i[1]}", "{i[2]}"]),
    )


def _zarr3(path: str, array: Mapping[str, Any]) -> ChunkFiles:
    encoding = array["chunk_key_encoding"]
    is_default = encoding["name"] == "default"
    configuration = encoding.get("configuration") or {}
    separator = configuration.get("separator", "/" if is_default else ".")
    leading = ["c"] * is_default + ["0"] * (len(array["shape"]) - _AXES)
    return ChunkFiles(
        root=path,
        shape=triple(map(int, array["shape"][-_AXES:])),
        chunk=triple(map(int, array["chunk_grid"]["configuration"]["chunk_shape"][-_AXES:])),
        name=separator.join([*leading, "{i[0]}", "{i[1]}", "{i[2]}"]),
    )


def _n5(path: str, array: Mapping[str, Any]) -> ChunkFiles:
    """N5 lists its axes x first, and what is z y x t for us lies in folders x/y/z/t."""
    trailing = ["0"] * (len(array["dimensions"]) - _AXES)
    return ChunkFiles(
        root=path,
        shape=triple(map(int, array["dimensions"][:_AXES][::-1])),
        chunk=triple(map(int, array["blockSize"][:_AXES][::-1])),
        name="/".join(["{i[2]}", "{i[1]}", "{i[0]}", *trailing]),
    )


def _precomputed(path: str, info: Mapping[str, Any], scale_key: str | None) -> ChunkFiles:
    scale = next(s for s in info["scales"] if s["key"] == scale_key)
    shape = triple(map(int, scale["size"][::-1]))
    is_sharded = scale.get("sharding") is not None
    return ChunkFiles(
        root=os.path.normpath(f"{path}/{scale_key}"),
        shape=shape,
        chunk=shape if is_sharded else triple(map(int, scale["chunk_sizes"][0][::-1])),
        name=None if is_sharded else "{b[2]}-{e[2]}_{b[1]}-{e[1]}_{b[0]}-{e[0]}",
        origin=triple(map(int, scale.get("voxel_offset", (0, 0, 0))[::-1])),
    )
