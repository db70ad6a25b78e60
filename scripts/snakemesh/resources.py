"""What a job asks its machine for, from the plan. Memory in MB."""

import math

import numpy as np

from snakemesh.geometry import halo
from snakemesh.jobs import smoothing_iterations
from snakemesh.plan import Plan

# Python with the libraries a job imports
BASE_MB = 400
# Extraction and surfaces take some 38 bytes a face, and dense tissue has up to 1.2 faces a voxel
MESH_BYTES_PER_VOXEL = 46


def mesh_mem_mb(plan: Plan, lod: int) -> int:
    """Peak memory of a mesh_block job: one tile with its halo."""
    margin = 2 * halo(smoothing_iterations(plan, lod))
    voxels = math.prod(
        min(t * c, n) + margin
        for t, c, n in zip(
            plan.tile_cells[lod], plan.cell_voxels[lod], plan.levels[lod].shape, strict=True
        )
    )
    itemsize = np.dtype(plan.source.dtype).itemsize
    return BASE_MB + math.ceil(voxels * (MESH_BYTES_PER_VOXEL + 2 * itemsize) / 1e6)


def pyramid_mem_mb(plan: Plan) -> int:
    """Peak memory of a pyramid_super_chunk job: two blocks of the source, and what is filled."""
    if not plan.stages:
        return BASE_MB
    first = max(math.prod(stage.steps[0]) for stage in plan.stages)
    block = math.prod(plan.chunks) * first * np.dtype(plan.source.dtype).itemsize
    return BASE_MB + math.ceil(3 * block / 1e6)


def shard_mem_mb(plan: Plan) -> int:
    """Peak memory of a shard job: the records of its fragments, not the fragments."""
    voxels = math.prod(e - b for b, e in zip(plan.begin, plan.end, strict=True))
    return BASE_MB + math.ceil(voxels / plan.sharding.num_shards / 50_000 * 4 * 300 / 1e6)
