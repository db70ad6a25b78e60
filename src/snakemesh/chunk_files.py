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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemesh.boxes import Box, Index, Shape, ceil_div, triple
from snakemesh.errors import UserError
from snakemesh.zip_files import zip_file

# Threads that ask a filesystem: on a network filesystem each question waits for a server.
_THREADS = 16
# What cloud-volume adds to the name of a chunk's file that it compresses as a whole.
COMPRESSED_SUFFIXES = (".gz", ".br", ".zstd", ".xz", ".bz2")


@dataclass(frozen=True)
class ChunkFiles:
    """Where the chunks of an array are.

    root: the folder. shape, chunk: voxels of the array and of what one file holds, which is a shard
    where chunks are in shards. name: of a chunk's file, to be formatted with `i` (z y x index),
    `b` and `e` (z y x voxels where the chunk begins and ends, counted from `origin`); None where
    all files together hold all chunks, as precomputed shards do, or one zip file, which is `root`.
    is_compressed: files may have other names, see `other_names`.
    """

    root: str
    shape: Shape
    chunk: Shape
    name: str | None
    origin: Shape = (0, 0, 0)
    is_compressed: bool = False

    @property
    def grid(self) -> Shape:
        """Number of chunks along each axis."""
        return ceil_div(self.shape, self.chunk)

    def path(self, index: Index) -> str:
        """The file of a chunk, as the format names it, or the folder of all of them."""
        return self.root if self.name is None else f"{self.root}/{self._name(index)}"

    def _name(self, index: Index) -> str:
        assert self.name is not None
        begin = [i * c + o for i, c, o in zip(index, self.chunk, self.origin, strict=True)]
        ends = zip(index, self.chunk, self.shape, self.origin, strict=True)
        end = [min((i + 1) * c, n) + o for i, c, n, o in ends]
        return self.name.format(i=index, b=begin, e=end)

    def stat(self, index: Index) -> os.stat_result | None:
        """Size and date of the file of a chunk; None if it is not stored.

        Raises UserError if it is a link to a missing file.
        """
        names = other_names(self._name(index)) if self.is_compressed else [self._name(index)]
        for name in names:
            try:
                return os.stat(f"{self.root}/{name}")
            except (FileNotFoundError, NotADirectoryError):
                refuse_dead_link(f"{self.root}/{name}")
        return None

    def indices_of(self, box: Box) -> Box:
        """The box of chunks that hold a box of voxels, which may reach beyond the array."""
        ends = zip(box[1], self.shape, strict=True)
        return (
            triple(max(b, 0) // c for b, c in zip(box[0], self.chunk, strict=True)),
            ceil_div((min(max(e, 0), n) for e, n in ends), self.chunk),
        )


def refuse_dead_link(path: str) -> None:
    """Raise UserError if a path is a link to a missing file: it would be read as background.

    git-annex and DataLad keep files that are not fetched as such links.
    """
    if os.path.islink(path) and not os.path.exists(path):
        raise UserError(
            f"config key input_path: {path} is a link to a missing file, expected a chunk of the "
            "volume; fetch its files (for example with `datalad get`), or correct the link"
        )


def other_names(name: str) -> list[str]:
    """The names of the file of a precomputed chunk: that of the format, and those of programs.

    cloud-volume compresses the file as a whole; neuroglancer-scripts puts it into folders too.
    """
    folders = name.replace("_", "/")
    return [f"{n}{suffix}" for n in (name, folders) for suffix in ("", *COMPRESSED_SUFFIXES)]


def chunk_files(
    format: str,
    path: str,
    document: Mapping[str, Any],
    scale: int | None = None,
    axes: Sequence[int] | None = None,
    index: Sequence[int] = (),
) -> ChunkFiles | None:
    """The files of a local array, from its own document; None where its files cannot be told.

    format: as worldarray names it. path: the array, or the root of a precomputed volume. document:
    of the array, or `info`. scale: number of the scale of a precomputed volume. axes, index: as
    those of `StoredArray`; None where the last three dimensions are z y x.
    """
    if not os.path.isabs(path):
        return None
    try:
        if format == "precomputed":
            return _precomputed(path, document["scales"][scale or 0])
        shape, chunk, name = grid_of(format, document)
        if (ndim := len(shape)) < 3:
            return None
        axes = range(ndim - 3, ndim) if axes is None else axes
        index = index or (0,) * ndim
        parts = [str(index[d] // chunk[d]) for d in range(ndim)]
        for i, dimension in enumerate(axes):
            parts[dimension] = f"{{i[{i}]}}"
        zipped = zip_file(path)
        return ChunkFiles(
            root=path if zipped is None else zipped[0],
            shape=triple(shape[d] for d in axes),
            chunk=triple(chunk[d] for d in axes),
            name=name(parts) if zipped is None else None,
        )
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError):
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
                "same command again to make the affected products anew"
            )


def stamps(files: ChunkFiles, chunks: Box, with_dates: bool = True) -> np.ndarray:
    """A number for every chunk of a box of chunks: uint64, 0 where there is no file.

    It stands for the file's size and, unless told otherwise, its date of change to the nanosecond.
    Two files that differ have the same number by chance once in 2^63.
    """
    shape = triple(max(e - b, 0) for b, e in zip(*chunks, strict=True))
    found = np.zeros(shape, np.uint64)
    if files.name is None:
        found[...] = _stamp_of_all(files.root)
        return found
    z, y, x = (range(b, e) for b, e in zip(*chunks, strict=True))
    with ThreadPoolExecutor(_THREADS) as pool:
        row_stamps = pool.map(
            lambda zy: [_stamp(files.stat((*zy, i)), with_dates) for i in x],
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


def _stamp(found: os.stat_result | None, with_date: bool) -> int:
    return 0 if found is None else _mixed(found.st_size, found.st_mtime_ns if with_date else 0)


def _stamp_of_all(root: str) -> int:
    """One number for all files of a folder, in whatever order they are listed, or for one file."""
    if os.path.isfile(root):
        return _stamp(os.stat(root), with_date=True)

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


# Shape, chunk and the name of a file, of its parts by dimension, all in C order.
Grid = tuple[list[int], list[int], Callable[[list[str]], str]]


def _zarr2(array: Mapping[str, Any]) -> Grid:
    separator = array.get("dimension_separator", ".")
    return list(map(int, array["shape"])), list(map(int, array["chunks"])), separator.join


def _zarr3(array: Mapping[str, Any]) -> Grid:
    encoding = array["chunk_key_encoding"]
    is_default = encoding["name"] == "default"
    configuration = encoding.get("configuration") or {}
    separator = configuration.get("separator", "/" if is_default else ".")
    chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
    return (
        list(map(int, array["shape"])),
        list(map(int, chunk)),
        lambda parts: separator.join(["c"] * is_default + parts),
    )


def _n5(array: Mapping[str, Any]) -> Grid:
    """N5 lists its axes x first, and what is z y x t for us lies in folders x/y/z/t."""
    shape, chunk = (list(map(int, array[key]))[::-1] for key in ("dimensions", "blockSize"))
    return shape, chunk, lambda parts: "/".join(parts[::-1])


def grid_of(format: str, document: Mapping[str, Any]) -> Grid:
    """The grid of an array that is not precomputed, from its document.

    Raises LookupError, TypeError, ValueError, OverflowError or AttributeError if it is not valid.
    """
    return {"zarr2": _zarr2, "zarr3": _zarr3, "n5": _n5}[format](document)


def _precomputed(path: str, scale: Mapping[str, Any]) -> ChunkFiles:
    shape = triple(map(int, scale["size"][::-1]))
    is_sharded = scale.get("sharding") is not None
    return ChunkFiles(
        root=os.path.normpath(f"{path}/{scale['key']}"),
        shape=shape,
        chunk=shape if is_sharded else triple(map(int, scale["chunk_sizes"][0][::-1])),
        name=None if is_sharded else "{b[2]}-{e[2]}_{b[1]}-{e[1]}_{b[0]}-{e[0]}",
        origin=triple(map(int, scale.get("voxel_offset", (0, 0, 0))[::-1])),
    )
