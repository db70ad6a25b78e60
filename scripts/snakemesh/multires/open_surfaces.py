"""The volume of objects that the roi leaves open."""

import numpy as np

from snakemesh.job_records import ShardJob
from snakemesh.multires.octree import CELL_STEPS


def close_volumes(summary: np.ndarray, job: ShardJob) -> None:
    """Give labels that are left open the volume of their voxels, in place.

    An open surface encloses nothing. Of such a label, the mesh has been fitted to the volume of the
    voxels as if it were closed where it is cut (`restore_volume`). A label is open if it reaches a
    side that leaves objects open: a body that ends before that side stays half a voxel away.
    summary: of dtype SUMMARY.
    """
    is_open = np.zeros(len(summary), bool)
    for axis, (lower, upper) in enumerate(job.open_nm):
        step = job.grid.cell_nm[axis] / CELL_STEPS
        if lower is not None:
            is_open |= summary["lower"][:, axis] <= lower + step
        if upper is not None:
            is_open |= summary["upper"][:, axis] >= upper - step
    voxels = summary["voxels"][is_open]
    summary["volume"][is_open] = voxels * np.prod(job.voxel_nm)
