"""Which edges lie in a side of the roi where objects are left open."""

from dataclasses import replace

import numpy as np

from snakemesh.plan.jobs import verify_job
from snakemesh.verify.shard import _on_open_sides
from volumes import plan_of, volume

VOXEL_NM = 5.24  # a size that 32 bits do not hold: nor do they hold that of a cell


def test_a_side_far_from_the_corner_is_found():
    """Its vertices are where the 32-bit size of a cell puts them, to half a step."""
    plan = plan_of(volume((64, 64, 1_000_000), (VOXEL_NM,) * 3), num_lods=1)
    job = replace(verify_job(plan), open_sides=((False, True), (False, False), (False, False)))
    cell = job.grid.cell_nm[0]
    step = cell / 65535
    side = job.grid.origin_nm[0] + float(np.float32(cell)) / cell * 1_000_000 * VOXEL_NM
    off = side - job.grid.origin_nm[0] - 1e6 * VOXEL_NM
    assert abs(off) > step / 2
    edges = np.zeros((3, 2, 3))
    edges[0, :, 0] = side + 0.5 * step * np.sign(off)
    edges[1, :, 0] = side - 30 * step
    edges[2, :, 0] = side - 0.1 * step, side - 30 * step
    assert _on_open_sides(edges, 0, job).tolist() == [True, False, False]
