"""Where an octant of a cell lies, and what its faces are. Everything is x y z, except in a job."""

from dataclasses import dataclass

import numpy as np

from snakemesh.boxes import ceil_div, triple
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.job_records import FinerBlocks, MeshBlockJob
from snakemesh.mesh.pieces import planes_of_box
from snakemesh.mesh.simplified import Geometry
from snakemesh.mesh.snapping import grain_of
from snakemesh.mesh.tile import geometry_of
from snakemesh.mesh.tiles import tile_of
from snakemesh.mesh.volume_ends import VolumeEnds, step_at


@dataclass(frozen=True)
class OctantGeometry:
    """An octant on the lattice of its cell.

    tile: the octant as a tile. widths, ends: as `finer.halved_surfaces` takes them, where the
    volume ends too.
    """

    tile: Geometry
    widths: np.ndarray
    ends: np.ndarray


def octant_geometry(
    job: MeshBlockJob, finer: FinerBlocks, octant: tuple[int, int, int]
) -> OctantGeometry:
    """What an octant is, from the block that it is in. octant: as a cell of the LOD below."""
    cell = geometry_of(tile_of(job, triple(i >> 1 for i in octant[::-1]), (1, 1, 1)))
    corner = np.array([(i & 1) * OCTANT_PLANE for i in octant])
    widths = np.array([CELL_STEPS - OCTANT_PLANE if i & 1 else OCTANT_PLANE for i in octant])
    grid = ceil_div(finer.shape, finer.cell_voxels)
    upper, ends, seams = widths.copy(), [], []
    for axis, index in enumerate(octant):
        zyx = 2 - axis
        is_last = index == grid[zyx] - 1
        end = (CELL_STEPS, widths[axis])
        if is_last:
            upper[axis] = min(widths[axis], cell.upper[axis] - corner[axis])
            end = _finer_end(job, finer, zyx, index), upper[axis]
        ends.append(end)
        seams.append((index > 0, not is_last))
    is_seam = np.array(seams)
    tile = Geometry(
        step=cell.step,
        voxel=cell.voxel,
        ends=VolumeEnds(*(bound - corner for bound in _bounds(cell.ends))),
        upper=upper.astype(np.int32),
        is_seam=is_seam,
        planes=planes_of_box(upper, is_seam),
        grain=grain_of(job.cell_voxels[::-1]),
        voxel_nm=cell.voxel_nm,
    )
    return OctantGeometry(tile, widths.astype(np.int64), np.array(ends, np.int64))


def _finer_end(job: MeshBlockJob, finer: FinerBlocks, axis: int, index: int) -> int:
    """Where the volume ends in the last octant on an axis (z y x), on the lattice of the LOD below.

    index: of the octant on this axis.
    """
    voxels = finer.cell_voxels[axis]
    end = 2 * job.ends[axis] / job.cell_voxels[axis] - index
    return min(step_at(end * voxels, voxels), CELL_STEPS)


def _bounds(ends: VolumeEnds) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return ends.lower, ends.upper, ends.last, ends.whole
