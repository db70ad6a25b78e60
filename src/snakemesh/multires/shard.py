"""Write finished shards: each fragment is copied once, from its container to its final place."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from snakemesh.fragments.payload import BLOCK_BYTES, payload_blocks, write_all
from snakemesh.fragments.sections import Sections, read_sections
from snakemesh.fragments.sharding import encode_index
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires.counts import NO_TOTALS
from snakemesh.multires.manifests import WORD_BYTES
from snakemesh.multires.shard_layout import ShardLayout, lay_out
from snakemesh.output.atomic import replacing


@dataclass(frozen=True)
class Written:
    """What a shard holds.

    summary: SUMMARY, one row per label, in ascending order. by_lod: `lods_dtype`, one row per label
    too. lods: LOD_SUMS, one row per LOD.
    """

    summary: np.ndarray
    by_lod: np.ndarray
    lods: np.ndarray


def write_shard(
    path: str | os.PathLike[str],
    shard: int,
    container_paths: Sequence[str],
    grid: OctreeGrid,
    sharding: Sharding,
    counts: np.ndarray = NO_TOTALS,
    min_voxels: int = 0,
) -> Written:
    """Write one shard file, whole or not at all, from its section of every container.

    Only the records are held in memory; the payload is streamed. A shard without labels becomes a
    valid file of empty minishards. counts: of its labels (`counts_and_contacts`); labels of fewer
    than `min_voxels` voxels are left out.
    Raises UserError if a container is damaged or does not fit `grid` and `sharding`, and
    ValueError if two containers hold the same fragment.
    """
    sections = read_sections(container_paths, shard, grid, sharding)
    layout = lay_out(sections, grid, sharding.index_bytes, counts, min_voxels)
    with replacing(path) as temporary:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _scatter_fragments(fd, sections, layout.destination)
            _scatter_manifests(fd, layout)
            sizes = WORD_BYTES * np.diff(layout.word_begin)
            end = int(layout.data_begin[-1])
            shard_index, minishards = encode_index(
                layout.labels, layout.manifest_begin[:-1], sizes, end, sharding
            )
            write_all(fd, _bytes(minishards), end)
            write_all(fd, _bytes(shard_index), 0)
        finally:
            os.close(fd)
    return Written(layout.summary, layout.by_lod, layout.lods)


def write_unsharded(
    directory: str | os.PathLike[str],
    shard: int,
    container_paths: Sequence[str],
    grid: OctreeGrid,
    sharding: Sharding,
    counts: np.ndarray = NO_TOTALS,
    min_voxels: int = 0,
) -> Written:
    """Write two files for every label of a shard: `<label>`, its fragments, and `<label>.index`.

    `<label>.index` is the manifest. The viewer asks for it first, so it is written after the
    fragments. Each file appears whole or not at all. Returns and raises the same as `write_shard`.
    """
    sections = read_sections(container_paths, shard, grid, sharding)
    layout = lay_out(sections, grid, 0, counts, min_voxels)
    manifests = _bytes(layout.words)
    # The fragments of a label come from many containers. A scratch file collects them, so that
    # memory stays bounded. It has no name, so a killed job leaves nothing behind.
    with tempfile.TemporaryFile(dir=os.fspath(directory)) as scratch:
        _scatter_fragments(scratch.fileno(), sections, layout.destination)
        rows = zip(
            layout.labels.tolist(),
            layout.data_begin.tolist(),
            layout.manifest_begin.tolist(),
            (WORD_BYTES * layout.word_begin[:-1]).tolist(),
            (WORD_BYTES * layout.word_begin[1:]).tolist(),
            strict=False,
        )
        for label, begin, end, manifest_begin, manifest_end in rows:
            with replacing(Path(directory) / str(label), durable=False) as data:
                _copy(scratch, begin, end, data)
            with replacing(Path(directory) / f"{label}.index", durable=False) as index:
                index.write_bytes(manifests[manifest_begin:manifest_end])
    return Written(layout.summary, layout.by_lod, layout.lods)


def _scatter_fragments(fd: int, sections: Sections, destination: np.ndarray) -> None:
    """Stream every container once and write each of its fragments to its place in `fd`.

    destination: the byte at which each fragment begins, or -1 if it is left out.
    """
    for section, first, last in zip(
        sections.sections, sections.begin[:-1], sections.begin[1:], strict=True
    ):
        target = destination[first:last]
        for begin, end, data in payload_blocks(section):
            _scatter_block(fd, data, section.records["size"][begin:end], target[begin:end])


def _scatter_block(fd: int, data: memoryview, sizes: np.ndarray, target: np.ndarray) -> None:
    """Write fragments that lie one after another in `data` to their places in `fd`.

    sizes: bytes of each fragment. target: the byte of `fd` at which it begins, or -1 to leave it
    out. Fragments that are neighbours in `fd` too, a run, are written by one call.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    begins = ends - sizes
    # All fragments of a run have the same shift between their places in `data` and in `fd`.
    shift = np.where(target < 0, np.iinfo(np.int64).min, target - begins)
    starts = np.flatnonzero(np.concatenate([[True], shift[1:] != shift[:-1]]))
    run_ends = ends[np.append(starts[1:], len(ends)) - 1]
    kept = target[starts] >= 0
    runs = zip(
        begins[starts[kept]].tolist(),
        run_ends[kept].tolist(),
        target[starts[kept]].tolist(),
        strict=True,
    )
    for begin, end, place in runs:
        write_all(fd, data[begin:end], place)


def _scatter_manifests(fd: int, layout: ShardLayout) -> None:
    manifests = _bytes(layout.words)
    ends = (WORD_BYTES * layout.word_begin).tolist()
    for begin, end, place in zip(ends, ends[1:], layout.manifest_begin.tolist(), strict=False):
        write_all(fd, manifests[begin:end], place)


def _bytes(array: np.ndarray) -> memoryview:
    """The bytes of an array, without a copy."""
    return array.reshape(-1).view(np.uint8).data


def _copy(source: BinaryIO, begin: int, end: int, target: Path) -> None:
    """Copy bytes `begin` to `end` of `source` to the new file `target`."""
    source.seek(begin)
    with open(target, "xb") as file:
        for at in range(begin, end, BLOCK_BYTES):
            file.write(source.read(min(BLOCK_BYTES, end - at)))
