"""Meshing a block of an LOD, tile by tile: voxels of its level in, one container out.

Everything is z y x, except where `tile` says otherwise.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import tensorstore as ts
from xxhash import xxh3_128

from snakemesh.bodies.mapping import Mapper
from snakemesh.bodies.met import write_record
from snakemesh.boxes import Index, Shape, ceil_div, indices, slices, triple
from snakemesh.job_records import RESULTS_VERSION, MeshBlockJob, halo_voxels
from snakemesh.label_values import LABELS, as_labels, one_body
from snakemesh.mesh.tile import End, Seam, Tile, mesh_tile, tile_shape
from snakemesh.mesh.wanted import Lists, count_voxels, only_wanted
from snakemesh.multires.container import COUNT, FRAGMENT, read_origin, write_container
from snakemesh.multires.container_table import Origin
from snakemesh.multires.counts import merged
from snakemesh.output.atomic import replacing
from snakemesh.voxels import open_part, reading_part, unreadable


@dataclass(frozen=True)
class BlockStats:
    """What meshing a block took and made.

    voxels: read, halos included. dense_faces: before simplification. payload_bytes: of the
    fragments, Draco-encoded.
    """

    voxels: int = 0
    dense_faces: int = 0
    faces: int = 0
    fragments: int = 0
    payload_bytes: int = 0

    def __add__(self, other: "BlockStats") -> "BlockStats":
        return BlockStats(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def mesh_block(job: MeshBlockJob, container: Path) -> BlockStats | None:
    """Mesh a block and write its container, whole or not at all.

    Where the folder holds a container of this block that was made in the same way from the same
    voxels, that one is taken, and None is returned: a chunk that was touched need not have changed
    in this block. Raises UserError if voxels cannot be read or the input changes meanwhile, or if a
    label is negative, and DamagedError if they are those of a level that was built.
    """
    if job.watch is not None:
        job.watch.refuse_change()
    store = open_part(job.reads)
    mapper = None if job.label_map is None else Mapper(job.label_map)
    container.parent.mkdir(parents=True, exist_ok=True)
    with reading_part(job.reads):
        if (earlier := _alike(job, store, mapper, container)) is not None:
            _write_met(job, mapper)
            take(earlier, container)
            return None
        stats, records, blobs, counts, voxels = _mesh_tiles(job, store, mapper)
    if job.watch is not None:
        job.watch.refuse_change()
    _write_met(job, mapper)
    origin = Origin(_how(job), voxels)
    write_container(container, job.lod, records, blobs, job.sharding, origin, counts)
    return stats


def _write_met(job: MeshBlockJob, mapper: Mapper | None) -> None:
    """Keep which labels were read, before the container that was made of them is there."""
    if job.label_map is not None and mapper is not None:
        write_record(job.label_map.record, mapper.met_labels())


def _mesh_tiles(
    job: MeshBlockJob, store: ts.TensorStore, mapper: Mapper | None
) -> tuple[BlockStats, np.ndarray, list[bytes], np.ndarray, bytes]:
    """Mesh all tiles of a block: stats, records, Draco bytes, counts, and a hash of the voxels."""
    stats = BlockStats()
    records, blobs = [np.zeros(0, FRAGMENT)], []
    counts = [np.zeros(0, COUNT)]
    lists = Lists(*(None if found is None else found.load() for found in job.label_lists))
    voxels = xxh3_128()
    for first_cell, n_cells in _tiles(job):
        labels, origin = _read_tile(store, job, first_cell, n_cells, mapper)
        voxels.update(labels.data)
        stats += BlockStats(voxels=labels.size)
        if not labels.any():
            continue
        tile = _tile(job, triple(store.shape), first_cell, n_cells)
        if job.lod == 0:
            shape = tile_shape(tile)
            counts.append(count_voxels(labels, origin, shape, lists, first_cell, job.cell_voxels))
        labels = only_wanted(labels, lists)
        if not labels.any():
            continue
        tile_records, tile_blobs, dense = mesh_tile(
            labels, origin, tile, job.n_smoothing_iter, job.keep, job.max_error
        )
        records.append(tile_records)
        blobs += tile_blobs
        stats += BlockStats(
            dense_faces=dense,
            faces=int(tile_records["faces"].sum()),
            fragments=len(tile_records),
            payload_bytes=sum(map(len, tile_blobs)),
        )
    return stats, np.concatenate(records), blobs, merged(np.concatenate(counts)), voxels.digest()


def _how(job: MeshBlockJob) -> bytes:
    """16 bytes that stand for all that a container depends on but for the voxels."""
    part = replace(job.reads, path="", name=None, stored=None, values=LABELS)
    target, exclude = (
        None if found is None else replace(found, path="") for found in job.label_lists
    )
    # what a table makes of the labels is in the voxels
    job = replace(job, reads=part, label_lists=(target, exclude), watch=None, label_map=None)
    described = repr((RESULTS_VERSION, job))
    return hashlib.sha256(described.encode()).digest()[:16]


def _alike(
    job: MeshBlockJob, store: ts.TensorStore, mapper: Mapper | None, container: Path
) -> Path | None:
    """A container of this block that is made as this one is to be, from the same voxels."""
    box = container.name.split(".")[0]
    origins = {path: read_origin(path) for path in container.parent.glob(f"{box}.*.fragments")}
    how = _how(job)
    found = {o.voxels: path for path, o in origins.items() if o is not None and o.how == how}
    if not found:
        return None
    voxels = xxh3_128()
    for first_cell, n_cells in _tiles(job):
        voxels.update(_read_tile(store, job, first_cell, n_cells, mapper)[0].data)
    return found.get(voxels.digest())


def take(earlier: Path, container: Path) -> None:
    """Give an earlier container a second name, whole or not at all."""
    with replacing(container) as temporary:
        try:
            os.link(earlier, temporary)
        except OSError:  # a filesystem without hard links
            shutil.copyfile(earlier, temporary)


def _tiles(job: MeshBlockJob) -> Iterator[tuple[Index, Shape]]:
    """The first cell in the octree, and the number of cells, of every tile of a block."""
    for index in indices(ceil_div(job.n_cells, job.tile_cells)):
        first = triple(i * t for i, t in zip(index, job.tile_cells, strict=True))
        n_cells = triple(
            min(t, n - f) for t, n, f in zip(job.tile_cells, job.n_cells, first, strict=True)
        )
        yield triple(f + b for f, b in zip(first, job.first_cell, strict=True)), n_cells


def _read_tile(
    store: ts.TensorStore,
    job: MeshBlockJob,
    first_cell: Index,
    n_cells: Shape,
    mapper: Mapper | None,
) -> tuple[np.ndarray, Index]:
    """The labels of a tile and its halo, and the voxel of this array where the tile begins.

    They are bodies where a table says so. The halo ends where the part that is meshed ends. Where
    objects are left open it goes on beyond that end, as copies of the outermost voxels.
    """
    halo = halo_voxels(job.n_smoothing_iter)
    begin = np.array(first_cell) * job.cell_voxels
    end = np.minimum(begin + np.array(n_cells) * job.cell_voxels, store.shape)
    low, high = np.maximum(begin - halo, 0), np.minimum(end + halo, store.shape)
    box = slices(low, high)
    try:
        voxels = store[box].read().result()
    except (ValueError, OSError) as error:
        raise unreadable(error, box) from error
    labels = as_labels(voxels, job.reads.values, low.tolist())
    if mapper is not None:
        labels = mapper(labels)
    if job.reads.values.is_one_body:
        labels = one_body(labels)
    # All tiles whose halo crosses an open end must see the same there: objects that go straight on.
    pads = [
        (lower_open * before, upper_open * after)
        for (lower_open, upper_open), before, after in zip(
            job.open_sides,
            (low - (begin - halo)).tolist(),
            (end + halo - high).tolist(),
            strict=True,
        )
    ]
    if any(map(any, pads)):
        labels = np.pad(labels, pads, mode="edge")
    origin = begin - low + [before for before, _ in pads]
    return np.ascontiguousarray(labels), triple(origin.tolist())


def _tile(job: MeshBlockJob, shape: Shape, first_cell: Index, n_cells: Shape) -> Tile:
    """A tile of a block, turned to x y z. shape: voxels of the part that is meshed."""
    seams: list[tuple[Seam, Seam]] = []
    ends: list[tuple[End, End]] = []
    for axis in range(3):
        cell = job.cell_voxels[axis]
        begin, end_cell = first_cell[axis] * cell, first_cell[axis] + n_cells[axis]
        lower_open, upper_open = job.open_sides[axis]
        lower: Seam = 0 if first_cell[axis] > 0 or lower_open else None
        upper: Seam = None
        if end_cell < job.grid_cells[axis]:
            upper = n_cells[axis] * cell
        elif upper_open:
            # the part may end inside the last cell
            upper = shape[axis] - begin
        seams.append((lower, upper))
        ends.append(
            (
                None if lower_open else float(-begin),
                None if upper_open else job.ends[axis] - begin,
            )
        )
    return Tile(
        lod=job.lod,
        first_cell=triple(first_cell[::-1]),
        n_cells=triple(n_cells[::-1]),
        cell_voxels=triple(job.cell_voxels[::-1]),
        cell_nm=job.cell_nm,
        seams=triple(seams[::-1]),
        ends=triple(ends[::-1]),
    )
