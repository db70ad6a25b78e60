"""Find the meshes of labels in a folder of finished meshes, and read their fragments.

tensorstore's driver for shards gives the manifest of a label, but not its place in the file. The
fragments are the bytes in front of the manifest. So this module reads the indices itself.
"""

import gzip
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import tensorstore as ts

from snakemesh.errors import UserError, one_line
from snakemesh.fragments.sharding import minishard_of, shard_of
from snakemesh.meshes.mesh_folder import MeshFolder, Sharded, finish_read, start_read
from snakemesh.meshes.segment_table import table_labels
from snakemesh.multires.manifests import Manifest, parse_manifest
from snakemesh.output.folder import SEGMENTS, shard_name

# Where a manifest is: its shard, and its bytes there; the last three are 0 for a file of its own.
PLACE = np.dtype([("label", "<u8"), ("shard", "<u4"), ("begin", "<i8"), ("size", "<i8")])
# The largest number of reads under way at once, and of bytes of fragments.
AHEAD, AHEAD_BYTES = 64, 64 << 20
_MAX_NAMED = 10

T = TypeVar("T")


@dataclass(frozen=True)
class StoredMesh:
    """The mesh of a label. file, begin: the file with its fragments, and where they begin there."""

    label: int
    manifest: Manifest
    file: str
    begin: int

    def span(self, lod: int) -> tuple[int, int]:
        """The bytes [begin, end) of the file that hold the fragments of an LOD."""
        before = (self.manifest.bytes_before(n) for n in (lod, lod + 1))
        begin, end = (self.begin + n for n in before)
        return begin, end


def all_places(folder: MeshFolder) -> np.ndarray:
    """Where the manifest of every label is: dtype PLACE, ascending by label. Raises UserError."""
    if folder.sharded is None:
        return _as_files(_listed_labels(folder))
    shards = np.arange(folder.sharded.sharding.num_shards)
    return np.sort(_indexed(folder, folder.sharded, shards, None), order="label")


def places_of(folder: MeshFolder, labels: np.ndarray) -> np.ndarray:
    """Where the manifests of these labels are: dtype PLACE, ascending by label.

    labels: uint64 of shape (n,), ascending, none twice. Raises UserError that names labels which
    have no mesh. Where labels have files of their own, that shows only when these are read.
    """
    if folder.sharded is None:
        return _as_files(labels)
    sharding = folder.sharded.sharding
    shards, minishards = shard_of(labels, sharding), minishard_of(labels, sharding)
    wanted = np.unique((shards << sharding.minishard_bits) + minishards)
    found = _indexed(folder, folder.sharded, np.unique(shards), wanted)
    found = np.sort(found[np.isin(found["label"], labels)], order="label")
    if len(found) != len(labels):
        raise unknown(folder, labels[~np.isin(labels, found["label"])].tolist())
    return found


def stored_meshes(folder: MeshFolder, places: np.ndarray) -> Iterator[StoredMesh]:
    """The meshes at these places, in their order. Raises UserError for a damaged or absent one."""

    def start(place: np.void) -> "ts.Future[Any]":
        begin = int(place["begin"])
        end = begin + int(place["size"])
        name = _manifest_file(folder, place)
        return start_read(folder, name, *(() if folder.sharded is None else (begin, end)))

    for place, started in _ahead(places, start, lambda _: 0):
        name, label = _manifest_file(folder, place), int(place["label"])
        data = finish_read(folder, name, started)
        if data is None:
            raise unknown(folder, [label])
        try:
            is_gzipped = folder.sharded is not None and folder.sharded.gzipped_manifests
            manifest = parse_manifest(gzip.decompress(data) if is_gzipped else data)
            if folder.sharded is None:
                yield StoredMesh(label, manifest, str(label), 0)
                continue
            begin = int(place["begin"]) - manifest.bytes_before(manifest.num_lods)
            if begin < folder.sharded.sharding.index_bytes:
                raise ValueError("its fragments begin before the file does")
        except (ValueError, EOFError, OSError, zlib.error) as error:
            raise UserError(
                f"{folder.where}/{name} has a damaged manifest of label {label}: {one_line(error)}"
            ) from error
        yield StoredMesh(label, manifest, name, begin)


def fragment_bytes(
    folder: MeshFolder, meshes: Iterable[StoredMesh], lod: int
) -> Iterator[tuple[StoredMesh, bytes]]:
    """Each mesh with the bytes of its fragments of an LOD, which it must have.

    Raises UserError where a file ends before them.
    """

    def start(mesh: StoredMesh) -> "ts.Future[Any]":
        return start_read(folder, mesh.file, *mesh.span(lod))

    for mesh, started in _ahead(meshes, start, lambda mesh: int(mesh.manifest.sizes[lod].sum())):
        data = finish_read(folder, mesh.file, started)
        if data is None or len(data) != mesh.manifest.sizes[lod].sum():
            raise UserError(f"{folder.where}/{mesh.file} ends before the mesh of {mesh.label}")
        yield mesh, data


def unknown(folder: MeshFolder, labels: list[int]) -> UserError:
    """The error that names labels without a mesh."""
    named = ", ".join(map(str, labels[:_MAX_NAMED]))
    if len(labels) > _MAX_NAMED:
        named += f" and {len(labels) - _MAX_NAMED:,} more"
    return UserError(f"{folder.where} has no mesh of {named}")


def _ahead(
    items: Iterable[T], start: Callable[[T], "ts.Future[Any]"], size: Callable[[T], int]
) -> Iterator[tuple[T, "ts.Future[Any]"]]:
    """The items in their order with their reads, of which several are under way at once."""
    waiting: deque[tuple[T, Any]] = deque()
    waiting_bytes = 0
    for item in items:
        while waiting and (len(waiting) >= AHEAD or waiting_bytes + size(item) > AHEAD_BYTES):
            waiting_bytes -= size(waiting[0][0])
            yield waiting.popleft()
        waiting.append((item, start(item)))
        waiting_bytes += size(item)
    while waiting:
        yield waiting.popleft()


def _manifest_file(folder: MeshFolder, place: np.void) -> str:
    if folder.sharded is None:
        return f"{place['label']}.index"
    return _shard_file(folder.sharded, int(place["shard"]))


def _shard_file(sharded: Sharded, shard: int) -> str:
    return f"{shard_name(shard, sharded.sharding)}.shard"


def _as_files(labels: np.ndarray) -> np.ndarray:
    places = np.zeros(len(labels), PLACE)
    places["label"] = labels
    return places


def _listed_labels(folder: MeshFolder) -> np.ndarray:
    """The labels that have files of their own, ascending: as listed, or as the table says."""
    try:
        names = [name.decode() for name in folder.store.list().result()]
    except (ValueError, RuntimeError, OSError, NotImplementedError) as error:
        labels = table_labels(folder)
        if labels is None:
            found = f"does not list its files ({one_line(error)}) and has no {SEGMENTS}"
            raise UserError(f"{folder.where} {found}: name the labels") from error
        return labels
    # one that has lost either of its two files is not passed over in silence
    matches = [re.fullmatch(r"([0-9]{1,20})(\.index)?", name) for name in names]
    return np.unique(np.array([int(match[1]) for match in matches if match], np.uint64))


def _indexed(
    folder: MeshFolder, sharded: Sharded, shards: np.ndarray, wanted: np.ndarray | None
) -> np.ndarray:
    """What the indices of some shards list: dtype PLACE.

    wanted: the minishards to look into, ascending, each numbered shard * minishards of a shard +
    minishard; None for all of these shards.
    """
    per_shard = 1 << sharded.sharding.minishard_bits
    index_bytes = sharded.sharding.index_bytes
    found = [np.empty(0, PLACE)]
    numbers = shards.tolist()

    def start(shard: int) -> "ts.Future[Any]":
        return start_read(folder, _shard_file(sharded, shard), 0, index_bytes)

    for shard, started in _ahead(numbers, start, lambda _: index_bytes):
        name = _shard_file(sharded, shard)
        data = finish_read(folder, name, started)
        if data is None:
            if folder.is_ours:
                raise UserError(f"{folder.where}/{name} is gone, and the labels in it")
            continue
        ranges = np.frombuffer(data, "<u8").reshape(per_shard, 2).astype(np.int64) + index_bytes
        if wanted is not None:
            first, last = np.searchsorted(wanted, [shard * per_shard, (shard + 1) * per_shard])
            ranges = ranges[wanted[first:last] - shard * per_shard]
        for raw in _minishards(folder, name, ranges[ranges[:, 1] > ranges[:, 0]]):
            found.append(_places(folder, sharded, name, shard, raw))
    return np.concatenate(found)


def _minishards(folder: MeshFolder, name: str, ranges: np.ndarray) -> Iterator[bytes]:
    """The bytes of these minishard indices of a shard."""

    def start(span: np.ndarray) -> "ts.Future[Any]":
        return start_read(folder, name, *span.tolist())

    for _, started in _ahead(ranges, start, lambda span: int(span[1] - span[0])):
        yield finish_read(folder, name, started) or b""


def _places(folder: MeshFolder, sharded: Sharded, name: str, shard: int, raw: bytes) -> np.ndarray:
    """What a minishard index lists: dtype PLACE. Each of its numbers is a step from the one before.

    Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
    """
    try:
        data = gzip.decompress(raw) if sharded.gzipped_indices else raw
        labels, gaps, sizes = np.frombuffer(data, "<u8").reshape(3, -1)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{folder.where}/{name} has a damaged index: {one_line(error)}") from error
    places = np.empty(len(labels), PLACE)
    places["label"] = np.cumsum(labels, dtype=np.uint64)
    places["shard"] = shard
    places["size"] = sizes
    ends = np.cumsum(gaps + sizes, dtype=np.uint64)
    places["begin"] = sharded.sharding.index_bytes + (ends - sizes).astype(np.int64)
    return places
