"""How a block is divided into tiles. Everything is z y x, except a `Tile`."""

from collections.abc import Iterator

from snakemesh.boxes import Index, Shape, ceil_div, indices, triple
from snakemesh.job_records import MeshBlockJob
from snakemesh.mesh.tile import Seam, Tile


def tiles_of(job: MeshBlockJob) -> Iterator[tuple[Index, Shape]]:
    """The first cell in the octree, and the number of cells, of every tile of a block."""
    for index in indices(ceil_div(job.n_cells, job.tile_cells)):
        first = triple(i * t for i, t in zip(index, job.tile_cells, strict=True))
        n_cells = triple(
            min(t, n - f) for t, n, f in zip(job.tile_cells, job.n_cells, first, strict=True)
        )
        yield triple(f + b for f, b in zip(first, job.first_cell, strict=True)), n_cells


def tile_of(job: MeshBlockJob, first_cell: Index, n_cells: Shape) -> Tile:
    """A tile of a block, turned to x y z. first_cell: in the octree."""
    seams: list[tuple[Seam, Seam]] = []
    ends: list[tuple[float, float]] = []
    for axis in range(3):
        cell = job.cell_voxels[axis]
        begin, end_cell = first_cell[axis] * cell, first_cell[axis] + n_cells[axis]
        lower = 0 if first_cell[axis] > 0 else None
        upper = n_cells[axis] * cell if end_cell < job.grid_cells[axis] else None
        seams.append((lower, upper))
        ends.append((float(-begin), job.ends[axis] - begin))
    return Tile(
        lod=job.lod,
        first_cell=triple(first_cell[::-1]),
        n_cells=triple(n_cells[::-1]),
        cell_voxels=triple(job.cell_voxels[::-1]),
        cell_nm=job.cell_nm,
        seams=triple(seams[::-1]),
        ends=triple(ends[::-1]),
    )
