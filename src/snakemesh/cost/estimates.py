"""What jobs are expected to cost, from the plan: seconds on one core, voxels and bytes.

The rates were measured on 512 x 512 x 512 voxels of mouse cortex (uint32, zstd) with
tests/bench/bench_run.py. Every voxel there belongs to some neurite: most volumes take less.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snakemesh.boxes import Index, box_index
from snakemesh.plan.jobs import own_box, super_chunk_box
from snakemesh.plan.plan import Plan
from snakemesh.plan.together import blocks_together

# What every job takes to start: Snakemake, Python and the libraries that it imports.
START_S = 2.0
MEASURED_PYRAMID_VOXELS_PER_S = 4e7
MEASURED_MESH_VOXELS_PER_S = 1e6
MEASURED_SHARD_VOXELS_PER_S = 5e7
# A bundle of 64 containers and 626 MB took 4 CPU seconds, and 15 s on a disk that was busy.
MEASURED_BUNDLE_VOXELS_PER_S = 3e8
# Rows of a table of bodies that are sorted.
MEASURED_ROWS_PER_S = 2e6
MEASURED_COUNT_VOXELS_PER_S = 4e7
MEASURED_VERIFY_VOXELS_PER_S = 2e6
# Bytes on the disk: of a voxel of a built level, and of the fragments that a meshed voxel gives.
LEVEL_BYTES_PER_VOXEL = 0.17
FRAGMENT_BYTES_PER_VOXEL = 0.14
# The time and disk of a sparse volume, at most, as a part of those of dense tissue.
SPARSE_PART = 0.15


@dataclass(frozen=True)
class Work:
    """Seconds on one core and voxels of a job, or of several."""

    seconds: float
    voxels: int

    def __add__(self, other: "Work") -> "Work":
        return Work(self.seconds + other.seconds, self.voxels + other.voxels)


def job_work(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Work:
    """The work of one job. A job of any other rule takes no longer than its start."""
    if rule == "pyramid_super_chunk":
        return _super_chunk_work(plan, int(wildcards["stage"]), box_index(wildcards["box"]))
    if rule == "mesh_block":
        return _block_work(plan, int(wildcards["lod"]), box_index(wildcards["box"]))
    if rule == "mesh_small_lods":
        works = [_block_work(plan, *block) for block in blocks_together(plan)]
        return sum(works, Work(-START_S * (len(works) - 1), 0))
    if rule == "mesh_bundle":
        return _work(bundle_voxels(plan, int(wildcards["lod"])), MEASURED_BUNDLE_VOXELS_PER_S)
    if rule == "shard":
        return _work(meshed_voxels(plan) // plan.sharding.num_shards, MEASURED_SHARD_VOXELS_PER_S)
    if rule == "label_map" and plan.table is not None:
        return Work(START_S + plan.table.rows / MEASURED_ROWS_PER_S, 0)
    if rule == "verify_voxels":
        box = own_box(plan, 0, box_index(wildcards["box"]))
        return _work(_box_voxels(*box), MEASURED_COUNT_VOXELS_PER_S)
    if rule == "verify_shard":
        voxels = math.prod(plan.levels[0].shape) // plan.sharding.num_shards
        return _work(voxels, MEASURED_VERIFY_VOXELS_PER_S)
    return Work(START_S, 0)


def _super_chunk_work(plan: Plan, stage: int, index: Index) -> Work:
    box = super_chunk_box(plan, plan.stages[stage], index)
    return _work(_box_voxels(*box), MEASURED_PYRAMID_VOXELS_PER_S)


def _block_work(plan: Plan, lod: int, index: Index) -> Work:
    voxels = _box_voxels(*own_box(plan, lod, index))
    return _work(voxels, MEASURED_MESH_VOXELS_PER_S / _part(plan))


def plan_work(plan: Plan) -> Work:
    """The work of all jobs of a plan that has done none yet."""
    passes = [math.prod(plan.levels[stage.base].shape) for stage in plan.needed_stages]
    works = [_work(voxels, MEASURED_PYRAMID_VOXELS_PER_S) for voxels in passes]
    works.append(_work(meshed_voxels(plan), MEASURED_MESH_VOXELS_PER_S / _part(plan)))
    works.append(_work(meshed_voxels(plan), MEASURED_SHARD_VOXELS_PER_S))
    if plan.bundles(0):
        works.append(_work(meshed_voxels(plan), MEASURED_BUNDLE_VOXELS_PER_S))
    more_starts = START_S * (plan.num_jobs - len(works))
    return sum(works, Work(more_starts, 0))


def bundle_voxels(plan: Plan, lod: int) -> int:
    """Voxels of the blocks of a bundle of an LOD on average."""
    return math.prod(plan.levels[lod].shape) // max(plan.bundles(lod), 1)


def meshed_voxels(plan: Plan) -> int:
    """Voxels of all levels together, each of which is meshed once."""
    return sum(math.prod(level.shape) for level in plan.levels)


def level_bytes(plan: Plan) -> int:
    """Bytes of the levels that a run builds."""
    levels = [plan.levels[k] for k in plan.needed_levels]
    built = sum(math.prod(level.shape) for level in levels if level.is_built)
    return round(built * LEVEL_BYTES_PER_VOXEL * _part(plan))


def mesh_bytes(plan: Plan) -> int:
    """Bytes of all fragments, in the containers and again in the shards."""
    return round(meshed_voxels(plan) * FRAGMENT_BYTES_PER_VOXEL * _part(plan))


def _part(plan: Plan) -> float:
    """What a voxel takes, as a part of one of dense tissue."""
    return SPARSE_PART if plan.is_sparse else 1.0


def _work(voxels: int, voxels_per_s: float) -> Work:
    return Work(START_S + voxels / voxels_per_s, voxels)


def _box_voxels(begin: Sequence[int], end: Sequence[int]) -> int:
    return math.prod(e - b for b, e in zip(begin, end, strict=True))
