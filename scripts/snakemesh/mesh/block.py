"""Meshing a block of an LOD: tile by tile, from the voxels of its level to one container. z y x."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorstore as ts

from snakemesh.boxes import Index, Shape, ceil_div, indices, slices
from snakemesh.job_records import MeshBlockJob, halo_voxels
from snakemesh.mesh.tile import Tile, mesh_tile
from snakemesh.multires.container import FRAGMENT, write_container
from snakemesh.voxels import open_part, unreadable, unsigned


@dataclass(frozen=True)
class BlockStats:
    """What a block was: voxels read, dense faces, faces kept, fragments, Draco bytes."""

    voxels: int
    dense_faces: int
    faces: int
    fragments: int
    payload_bytes: int


def mesh_block(job: MeshBlockJob, container: Path) -> BlockStats:
    """Mesh a block and write its container, whole or not at all."""
    store = open_part(job.reads)
    records, blobs = [np.zeros(0, FRAGMENT)], []
    voxels = dense_faces = 0
    for first_cell, n_cells in _tiles(job):
        labels, origin = _read_tile(store, job, first_cell, n_cells)
        voxels += labels.size
        if not labels.any():
            continue
        tile = _tile(job, store.shape, first_cell, n_cells)
        tile_records, tile_blobs, dense = mesh_tile(
            labels, origin, tile, job.n_smoothing_iter, job.keep, job.max_error
        )
        records.append(tile_records)
        blobs += tile_blobs
        dense_faces += dense
    joined = np.concatenate(records)
    container.parent.mkdir(parents=True, exist_ok=True)
    write_container(container, job.lod, joined, blobs, job.sharding)
    return BlockStats(
        voxels=voxels,
        dense_faces=dense_faces,
        faces=int(joined["faces"].sum()),
        fragments=len(joined),
        payload_bytes=sum(map(len, blobs)),
    )


def _tiles(job: MeshBlockJob) -> Iterator[tuple[Index, Shape]]:
    """First cell and number of cells of every tile of a block."""
    for index in indices(ceil_div(job.n_cells, job.tile_cells)):
        first = tuple(i * t for i, t in zip(index, job.tile_cells, strict=True))
        n_cells = tuple(
            min(t, n - f) for t, n, f in zip(job.tile_cells, job.n_cells, first, strict=True)
        )
        yield tuple(f + b for f, b in zip(first, job.first_cell, strict=True)), n_cells


def _read_tile(
    store: ts.TensorStore, job: MeshBlockJob, first_cell: Index, n_cells: Shape
) -> tuple[np.ndarray, Index]:
    """The labels of a tile with its halo, as far as there are any, and where the tile begins."""
    margin = halo_voxels(job.n_smoothing_iter)
    begin = np.array(first_cell) * job.cell_voxels
    end = np.minimum(begin + np.array(n_cells) * job.cell_voxels, store.shape)
    low, high = np.maximum(begin - margin, 0), np.minimum(end + margin, store.shape)
    box = slices(low, high)
    try:
        voxels = store[box].read().result()
    except (ValueError, OSError) as error:
        raise unreadable(error, box) from error
    labels = unsigned(voxels)
    if job.target_ids is not None:
        # a label that the type cannot hold is in no voxel
        possible = [i for i in job.target_ids if i <= np.iinfo(labels.dtype).max]
        wanted = np.isin(labels, np.array(possible, dtype=labels.dtype))
        labels = np.where(wanted, labels, labels.dtype.type(0))
    # objects that are left open go straight on beyond the end of what is meshed, for every tile
    # that looks there
    pads = [
        (lower * before, upper * after)
        for (lower, upper), before, after in zip(
            job.open_sides,
            (low - (begin - margin)).tolist(),
            (end + margin - high).tolist(),
            strict=True,
        )
    ]
    if any(map(any, pads)):
        labels = np.pad(labels, pads, mode="edge")
    origin = begin - low + [before for before, _ in pads]
    return np.ascontiguousarray(labels), tuple(origin.tolist())


def _tile(job: MeshBlockJob, shape: Shape, first_cell: Index, n_cells: Shape) -> Tile:
    seams = []
    for axis in range(3):
        cell = job.cell_voxels[axis]
        begin, last = first_cell[axis] * cell, first_cell[axis] + n_cells[axis]
        left_open, right_open = job.open_sides[axis]
        lower = 0 if first_cell[axis] > 0 or left_open else None
        if last < job.grid_cells[axis]:
            upper = n_cells[axis] * cell
        else:
            upper = shape[axis] - begin if right_open else None
        seams.append((lower, upper))
    return Tile(
        lod=job.lod,
        first_cell=tuple(first_cell[::-1]),
        n_cells=tuple(n_cells[::-1]),
        cell_voxels=tuple(job.cell_voxels[::-1]),
        cell_nm=job.cell_nm,
        seams=tuple(seams[::-1]),
    )
