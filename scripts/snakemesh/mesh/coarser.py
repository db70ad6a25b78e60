"""Making a block of an LOD of the fragments of the LOD below it, cell by cell.

A cell depends on nothing but the fragments in its octants. So it is the same in every block, and
what lies on its faces is what lies there in the cells beside it.

Everything is x y z, except in a job.
"""

from pathlib import Path

import numpy as np

from snakemesh.boxes import triple
from snakemesh.job_records import FinerBlocks, MeshBlockJob
from snakemesh.mesh.earlier import containers_alike, how_made, take
from snakemesh.mesh.finer import FinerFragments, cells_of, read_finer, welded_surfaces
from snakemesh.mesh.lattice import nearest_step
from snakemesh.mesh.pieces import uncut_pieces
from snakemesh.mesh.specks import without_specks
from snakemesh.mesh.stats import BlockStats
from snakemesh.mesh.tile import Tile, finish, geometry_of, seams_in_steps
from snakemesh.mesh.tiles import tile_of
from snakemesh.mesh.voxel_moments import moments_of
from snakemesh.multires.container import FRAGMENT, NO_COUNTS, Origin, write_container
from snakemesh.multires.octree import CELL_STEPS


def mesh_coarser_block(job: MeshBlockJob, finer: FinerBlocks, container: Path) -> BlockStats | None:
    """Make a block of the fragments of the LOD below, and write its container, whole or not at all.

    Returns None where a container is there that was made in the same way of the same fragments: it
    is taken. Raises DamagedError for a container that is gone or damaged.
    """
    container.parent.mkdir(parents=True, exist_ok=True)
    box = triple(job.first_cell[::-1]), triple(job.n_cells[::-1])
    found = read_finer(finer.containers, job.sharding.num_shards, *box)
    if (earlier := containers_alike(job, container).get(found.digest)) is not None:
        take(earlier, container)
        return None
    stats = BlockStats()
    records, blobs = [np.zeros(0, FRAGMENT)], []
    for cell, rows in cells_of(found):
        tile = tile_of(job, triple(cell[::-1]), (1, 1, 1))
        cell_records, cell_blobs, n_faces = _mesh_cell(job, finer, tile, found, rows)
        records.append(cell_records)
        blobs += cell_blobs
        stats += BlockStats(
            dense_faces=n_faces,
            faces=int(cell_records["faces"].sum()),
            fragments=len(cell_records),
            payload_bytes=sum(map(len, cell_blobs)),
        )
    counts = _counts_of_cells(found.counts) if job.voxels_of_s0 else NO_COUNTS
    origin = Origin(how_made(job), found.digest)
    write_container(
        container, job.lod, np.concatenate(records), blobs, job.sharding, origin, counts
    )
    return stats


def _mesh_cell(
    job: MeshBlockJob, finer: FinerBlocks, tile: Tile, found: FinerFragments, rows: np.ndarray
) -> tuple[np.ndarray, list[bytes], int]:
    """The fragments of a cell, the records and the Draco bytes, and the faces they were made of.

    tile: the cell. rows: of its octants' fragments in `found`.
    """
    geometry = geometry_of(tile)
    welded = welded_surfaces(found, rows, _open_ends(tile, finer))
    labels, step = welded.labels, geometry.step
    stays, gone = without_specks(welded.vertices, welded.faces, welded.owners, step, len(labels))
    pieces = uncut_pieces(
        welded.vertices,
        welded.faces[stays],
        welded.owners[stays],
        welded.octants[stays],
        geometry.planes,
    )
    wanted = _moments(found.counts, finer, tile, labels) * np.append(1.0, geometry.voxel) - gone
    records, blobs = finish(pieces, labels, wanted, tile, geometry, job.keep, job.max_error)
    return records, blobs, len(welded.faces)


def _open_ends(tile: Tile, finer: FinerBlocks) -> list[tuple[int, int] | None]:
    """Per axis, where surfaces are left open inside a cell: on its octants' lattice and on its own.

    None on an axis where they are not.
    """
    ends: list[tuple[int, int] | None] = []
    for axis, (_, upper) in enumerate(seams_in_steps(tile)):
        size = finer.cell_voxels[2 - axis]
        begin = 2 * tile.first_cell[axis] * size
        is_inside = upper is not None and upper < CELL_STEPS
        finer_end = int(nearest_step(finer.shape[2 - axis] - begin, size))
        ends.append((finer_end, upper) if is_inside and upper is not None else None)
    return ends


def _moments(counts: np.ndarray, finer: FinerBlocks, tile: Tile, labels: np.ndarray) -> np.ndarray:
    """What labels hold in a cell, (L, 4) float64: volume and first moments about its lower corner.

    In voxels of the level on each axis.
    """
    mine = counts[(counts["cell"] >> 1 == np.array(tile.first_cell, np.uint32)).all(axis=1)]
    ids, rows = np.unique(mine["label"], return_inverse=True)
    sums = np.zeros((len(ids), 4))
    np.add.at(sums[:, 0], rows, mine["voxels"].astype(np.float64))
    np.add.at(sums[:, 1:], rows, mine["moment"] / 2)
    sums[:, 1:] = (sums[:, 1:] - sums[:, :1] * tile.first_cell) * tile.cell_voxels
    return moments_of(labels, ids, sums / np.prod(finer.factor))


def _counts_of_cells(counts: np.ndarray) -> np.ndarray:
    """The counts of cells, COUNT, that are those of their octants together."""
    cells = counts["cell"] >> 1
    order = np.lexsort((*cells.T, counts["label"]))
    counts, cells = counts[order], cells[order]
    keys = np.column_stack([counts["label"], cells])
    first = np.flatnonzero((np.diff(keys, axis=0, prepend=~keys[:1]) != 0).any(axis=1))
    found = counts[first].copy()
    found["cell"] = cells[first]
    if len(first):
        found["voxels"] = np.add.reduceat(counts["voxels"], first)
        found["moment"] = np.add.reduceat(counts["moment"], first) / 2
    return found
