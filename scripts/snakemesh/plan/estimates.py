"""What jobs are expected to cost: seconds on one core, voxels, bytes.

The rates were measured on 512 x 512 x 512 voxels of mouse cortex (uint32, zstd) with
tests/bench/bench_run.py. In this dense tissue every voxel belongs to some neurite, so most volumes
take less. `resources` has what jobs ask for, which is more.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from snakemesh.boxes import box_index
from snakemesh.plan.jobs import mesh_block_job, super_chunk_job
from snakemesh.plan.plan import Plan

# Starting Snakemake and Python, and importing the libraries
START_S = 2.0
MEASURED_PYRAMID_VOXELS_PER_S = 4e7
MEASURED_MESH_VOXELS_PER_S = 1e6
MEASURED_SHARD_VOXELS_PER_S = 5e7
# Size on disk for each voxel of a level that is built
LEVEL_BYTES_PER_VOXEL = 0.17
# Size of all fragments for each voxel of a level that is meshed
FRAGMENT_BYTES_PER_VOXEL = 0.14


@dataclass(frozen=True)
class Work:
    """The work of one job or of several: seconds on one core, and voxels."""

    seconds: float
    voxels: int

    def __add__(self, other: "Work") -> "Work":
        return Work(self.seconds + other.seconds, self.voxels + other.voxels)


def job_work(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Work:
    """The expected work of one job of the workflow.

    wildcards: of the job, by name, as the rule has them. Jobs of the rules that read no voxels and
    no fragments take only the time to start.
    """
    work_of = {
        "pyramid_super_chunk": _super_chunk_work,
        "mesh_block": _block_work,
        "shard": _shard_work,
    }
    return work_of[rule](plan, wildcards) if rule in work_of else Work(START_S, 0)


def _super_chunk_work(plan: Plan, wildcards: Mapping[str, str]) -> Work:
    stage = plan.stages[int(wildcards["stage"])]
    job = super_chunk_job(plan, stage, box_index(wildcards["box"]))
    voxels = math.prod(e - b for b, e in zip(job.begin, job.end, strict=True))
    return _work(voxels, MEASURED_PYRAMID_VOXELS_PER_S)


def _block_work(plan: Plan, wildcards: Mapping[str, str]) -> Work:
    job = mesh_block_job(plan, int(wildcards["lod"]), box_index(wildcards["box"]))
    shape = plan.levels[job.lod].shape
    axes = zip(job.first_cell, job.n_cells, job.cell_voxels, shape, strict=True)
    # the last cells may reach past the end of the level
    voxels = math.prod(min((f + n) * c, size) - f * c for f, n, c, size in axes)
    return _work(voxels, MEASURED_MESH_VOXELS_PER_S)


def _shard_work(plan: Plan, _wildcards: Mapping[str, str]) -> Work:
    return _work(meshed_voxels(plan) // plan.sharding.num_shards, MEASURED_SHARD_VOXELS_PER_S)


def _work(voxels: int, voxels_per_s: float) -> Work:
    return Work(START_S + voxels / voxels_per_s, voxels)


def plan_work(plan: Plan) -> Work:
    """The expected work of a run from scratch, without the handful of rules that have one job."""
    passes = [math.prod(plan.levels[stage.base].shape) for stage in plan.stages]
    works = [_work(voxels, MEASURED_PYRAMID_VOXELS_PER_S) for voxels in passes]
    works.append(_work(meshed_voxels(plan), MEASURED_MESH_VOXELS_PER_S))
    works.append(_work(meshed_voxels(plan), MEASURED_SHARD_VOXELS_PER_S))
    # each of `works` stands for many jobs, but contains one start
    more_starts = START_S * (plan.num_jobs - len(works))
    return sum(works, Work(more_starts, 0))


def meshed_voxels(plan: Plan) -> int:
    """The number of voxels of all levels together. Each of them is meshed once."""
    return sum(math.prod(level.shape) for level in plan.levels)


def level_bytes(plan: Plan) -> int:
    """The expected size on disk of the levels that are built."""
    built = sum(math.prod(level.shape) for level in plan.levels if level.is_built)
    return round(built * LEVEL_BYTES_PER_VOXEL)


def mesh_bytes(plan: Plan) -> int:
    """The expected size of all fragments. The containers take this much, and so do the shards."""
    return round(meshed_voxels(plan) * FRAGMENT_BYTES_PER_VOXEL)
