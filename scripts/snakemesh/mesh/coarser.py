"""Making a block of an LOD of the fragments of the LOD below it, cell by cell.

A cell depends on nothing but the fragments in its octants. So it is the same in every block, and
what lies on its faces is what lies there in the cells beside it.

Everything is x y z, except in a job.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemesh.boxes import triple
from snakemesh.job_records import FinerBlocks, MeshBlockJob
from snakemesh.mesh.earlier import containers_alike, how_made, take
from snakemesh.mesh.finer import FinerFragments, cells_of, read_finer, welded_surfaces
from snakemesh.mesh.specks import without_specks
from snakemesh.mesh.stats import BlockStats
from snakemesh.mesh.tile import Measures, Tile, finished, measures_of
from snakemesh.mesh.tiles import tile_of
from snakemesh.mesh.voxel_moments import moments_of
from snakemesh.multires.container import COUNT, FRAGMENT, NO_COUNTS, Origin, write_container


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
