"""Meshing a block of an LOD, tile by tile: voxels of its level in, one container out.

Everything is z y x, except where `tile` says otherwise.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorstore as ts
from xxhash import xxh3_128

from snakemesh.boxes import Index, Shape, triple
from snakemesh.fragments.contact import NO_CONTACTS
from snakemesh.fragments.container import COUNT, FRAGMENT, write_container
from snakemesh.fragments.container_table import Origin
from snakemesh.halo import halo_voxels
from snakemesh.job_records import MeshBlockJob
from snakemesh.mesh.coarser import mesh_coarser_block
from snakemesh.mesh.compact_labels import CompactLabels, compact_labels
from snakemesh.mesh.contacts import Contacts, contacts_of
from snakemesh.mesh.earlier import containers_alike, how_made, take
from snakemesh.mesh.read_labels import read_labels
from snakemesh.mesh.stats import BlockStats
from snakemesh.mesh.tile import mesh_tile, tile_shape
from snakemesh.mesh.tiles import tile_of, tiles_of
from snakemesh.mesh.wanted import Lists, count_voxels, only_wanted
from snakemesh.source.voxels import open_part, reading_part
from snakemesh.tables.mapping import Mapper


def make_block(job: MeshBlockJob, container: Path, processes: int = 1) -> BlockStats | None:
    """Make the container of a block: of its voxels, or of the fragments of the LOD below.

    processes: at most this many work on a block that is made of fragments. Returns and raises what
    `mesh_block` or `mesh_coarser_block` does.
    """
    if job.finer is None:
        return mesh_block(job, container)
    return mesh_coarser_block(job, job.finer, container, processes)


def mesh_block(job: MeshBlockJob, container: Path) -> BlockStats | None:
    """Mesh the voxels of a block and write its container, whole or not at all.

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
        alike = containers_alike(job, container)
        earlier = alike.get(_digest(job, store, mapper)) if alike else None
        if earlier is not None:
            _record(mapper)
            take(earlier, container)
            return None
        stats, made, voxels = _mesh_tiles(job, store, mapper)
    if job.watch is not None:
        job.watch.refuse_change()
    _record(mapper)
    origin = Origin(how_made(job), voxels)
    write_container(
        *(container, job.lod, made.records, made.blobs, job.sharding, origin),
        *(made.counts, made.contacts),
    )
    return stats


def _record(mapper: Mapper | None) -> None:
    """Record which labels were seen, before the container that was made of them is there."""
    if mapper is not None:
        mapper.record()


@dataclass(frozen=True)
class _Made:
    """What a container holds: FRAGMENT, the Draco bytes of each, COUNT and CONTACT."""

    records: np.ndarray
    blobs: list[bytes]
    counts: np.ndarray
    contacts: np.ndarray


def _mesh_tiles(
    job: MeshBlockJob, store: ts.TensorStore, mapper: Mapper | None
) -> tuple[BlockStats, _Made, bytes]:
    """Mesh all tiles of a block. The last answer is a hash of the voxels."""
    stats = BlockStats()
    records, blobs = [np.zeros(0, FRAGMENT)], []
    counts, touching = [np.zeros(0, COUNT)], [NO_CONTACTS]
    lists = Lists(*(None if found is None else found.load() for found in job.label_lists))
    voxels = xxh3_128()
    for first_cell, n_cells in tiles_of(job):
        found, origin = _read_tile(store, job, first_cell, n_cells, mapper)
        voxels.update(found.data)
        stats += BlockStats(voxels=found.size)
        if not found.any():
            continue
        labels = compact_labels(found)
        del found  # the memory that meshing takes is better used
        tile = tile_of(job, first_cell, n_cells)
        if job.voxels_of_s0:
            place = (first_cell, job.cell_voxels, job.voxels_of_s0)
            counts.append(count_voxels(labels, origin, tile_shape(tile), lists, *place))
        labels = only_wanted(labels, lists)
        if len(labels.names) == 1:
            continue
        contacts = _contacts(job, labels, origin, first_cell, n_cells)
        tile_records, tile_blobs, dense = mesh_tile(
            labels, origin, tile, job.n_smoothing_iter, job.keep, job.max_error, contacts
        )
        if contacts is not None:
            touching.append(contacts.rows())
        records.append(tile_records)
        blobs += tile_blobs
        stats += BlockStats(
            dense_faces=dense,
            faces=int(tile_records["faces"].sum()),
            fragments=len(tile_records),
            payload_bytes=sum(map(len, tile_blobs)),
        )
    made = _Made(np.concatenate(records), blobs, np.concatenate(counts), np.concatenate(touching))
    return stats, made, voxels.digest()


def _contacts(
    job: MeshBlockJob, labels: CompactLabels, origin: Index, first_cell: Index, n_cells: Shape
) -> Contacts | None:
    """The contacts of a tile, without areas yet; None if the job needs none."""
    if not job.contacts:
        return None
    first, shape = (
        triple(n * c for n, c in zip(cells, job.cell_voxels, strict=True))
        for cells in (first_cell, n_cells)
    )
    voxel = [cell / n for cell, n in zip(job.cell_nm, job.cell_voxels[::-1], strict=True)]
    with_background = job.contacts == "background"
    return contacts_of(labels, origin, first, shape, job.reads.shape, voxel, with_background)


def _digest(job: MeshBlockJob, store: ts.TensorStore, mapper: Mapper | None) -> bytes:
    """A hash of all voxels that a block reads, as `_mesh_tiles` has it."""
    voxels = xxh3_128()
    for first_cell, n_cells in tiles_of(job):
        voxels.update(_read_tile(store, job, first_cell, n_cells, mapper)[0].data)
    return voxels.digest()


def _read_tile(
    store: ts.TensorStore,
    job: MeshBlockJob,
    first_cell: Index,
    n_cells: Shape,
    mapper: Mapper | None,
) -> tuple[np.ndarray, Index]:
    """The labels of a tile and its halo, and the voxel of this array where the tile begins.

    They are bodies where a table says so. The halo ends where the part that is meshed ends.
    """
    halo = halo_voxels(job.n_smoothing_iter)
    begin = np.array(first_cell) * job.cell_voxels
    end = np.minimum(begin + np.array(n_cells) * job.cell_voxels, store.shape)
    low, high = np.maximum(begin - halo, 0), np.minimum(end + halo, store.shape)
    labels = read_labels(store, job.reads, low.tolist(), high.tolist(), mapper)
    return labels, triple((begin - low).tolist())
