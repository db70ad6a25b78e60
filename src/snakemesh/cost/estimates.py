"""What jobs are expected to cost, from the plan: seconds on one core, voxels and bytes.

The rates were measured on 512 x 512 x 512 voxels of mouse cortex (uint32, zstd) with
tests/bench/bench_run.py. Meshing takes most of the time, and its time depends on the surface: how
much there is, a sample of the volume says (`content`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snakemesh.boxes import Index, box_index
from snakemesh.cost.content import SPARSE_PART, mean_dense_faces, mean_faces, number_of_labels
from snakemesh.measure_job import THICKNESS
from snakemesh.plan.job_counts import job_counts
from snakemesh.plan.jobs import own_box, super_chunk_box
from snakemesh.plan.plan import Plan
from snakemesh.plan.together import blocks_together

# What every job takes to start where it is forked. A job of a cluster takes 2 s, which is little
# beside its work.
START_S = 0.1
# What Snakemake itself takes to plan and to run a few jobs.
SNAKEMAKE_S = 1.5
# Voxels of a level that is meshed, without its surface; triangles of its dense surfaces; triangles
# of the fragments that the next LOD is made of.
MEASURED_MESH_VOXELS_PER_S = 1e8
MEASURED_DENSE_FACES_PER_S = 3e6
MEASURED_COARSER_FACES_PER_S = 1.25e6
MEASURED_EXAMPLE_S = 2.0
# Rows of a table of bodies that are sorted.
MEASURED_ROWS_PER_S = 2e6
MEASURED_COUNT_VOXELS_PER_S = 4e7
# Triangles of meshes that are read back.
MEASURED_VERIFY_FACES_PER_S = 7e5
MEASURED_THICKNESS_VOXELS_PER_S = 8e6
MEASURED_CURVATURE_FACES_PER_S = 7e5
_MEASURED_VOXELS_PER_S = {
    "pyramid_super_chunk": 4e7,
    # 64 containers and 626 MB took 4 CPU seconds, and 15 s on a disk that was busy
    "mesh_bundle": 3e8,
    "shard": 1e9,
    "measure_block": MEASURED_COUNT_VOXELS_PER_S,
    "verify_voxels": MEASURED_COUNT_VOXELS_PER_S,
}
# Bytes on the disk: of a voxel of a built level, and of a triangle of a fragment.
LEVEL_BYTES_PER_VOXEL = 0.17
FRAGMENT_BYTES_PER_FACE = 2.1
# Bytes of the tables for each label, half of them its contacts; of a triangle of the overview; and
# of the overview at most.
TABLE_BYTES_PER_LABEL = 1000
OVERVIEW_BYTES_PER_FACE = 10
MOST_OVERVIEW_BYTES = 8e6


@dataclass(frozen=True)
class Work:
    """Seconds on one core and voxels, of one job or of several together."""

    seconds: float
    voxels: int

    def __add__(self, other: "Work") -> "Work":
        return Work(self.seconds + other.seconds, self.voxels + other.voxels)


def job_work(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Work:
    """The work of one job. A job of any other rule takes no longer than its start."""
    if rule == "pyramid_super_chunk":
        stage = plan.stages[int(wildcards["stage"])]
        box = super_chunk_box(plan, stage, box_index(wildcards["box"]))
        return _work(plan, rule, _box_voxels(*box))
    if rule == "mesh_block":
        return _block_work(plan, int(wildcards["lod"]), box_index(wildcards["box"]))
    if rule == "mesh_small_lods":
        works = [_block_work(plan, *block) for block in blocks_together(plan)]
        return sum(works, Work(-START_S * (len(works) - 1), 0))
    if rule == "mesh_bundle":
        return _work(plan, rule, bundle_voxels(plan, int(wildcards["lod"])))
    if rule == "shard":
        return _work(plan, rule, meshed_voxels(plan) // plan.sharding.num_shards)
    if rule == "example":
        return Work(START_S + MEASURED_EXAMPLE_S, 0)
    if rule == "label_map" and plan.table is not None:
        return Work(START_S + plan.table.rows / MEASURED_ROWS_PER_S, 0)
    if rule in ("measure_block", "verify_voxels"):
        box = own_box(plan, 0, box_index(wildcards["box"]))
        return _work(plan, rule, _box_voxels(*box))
    if rule in ("measure_shard", "verify_shard"):
        return _work(plan, rule, plan.voxels // plan.sharding.num_shards)
    return Work(START_S, 0)


def _block_work(plan: Plan, lod: int, index: Index) -> Work:
    return _work(plan, "mesh_block", _box_voxels(*own_box(plan, lod, index)), lod)


def _work(plan: Plan, rule: str, voxels: int, lod: int = 0) -> Work:
    return Work(START_S + voxels * _s_per_voxel(plan, rule, lod), voxels)


def _s_per_voxel(plan: Plan, rule: str, lod: int) -> float:
    """Seconds for a voxel: of the level of an LOD; of s0 for rules that know no LOD."""
    if rule == "mesh_block" and plan.is_of_fragments(lod):
        read = mean_faces(plan, lod - 1) * math.prod(plan.levels[lod].factor)
        return 1 / MEASURED_MESH_VOXELS_PER_S + read / MEASURED_COARSER_FACES_PER_S
    if rule == "mesh_block":
        faces = mean_dense_faces(plan, lod)
        return 1 / MEASURED_MESH_VOXELS_PER_S + faces / MEASURED_DENSE_FACES_PER_S
    if rule == "measure_shard":
        return mean_faces(plan, 0) / MEASURED_CURVATURE_FACES_PER_S
    if rule == "verify_shard":
        faces = _faces_per_voxel(plan)
        return 1 / MEASURED_COUNT_VOXELS_PER_S + faces / MEASURED_VERIFY_FACES_PER_S
    if rule == "measure_block" and THICKNESS in plan.settings.measures:
        return 1 / MEASURED_THICKNESS_VOXELS_PER_S
    return 1 / _MEASURED_VOXELS_PER_S[rule]


def plan_work(plan: Plan) -> Work:
    """The work of all jobs of a plan that has done none yet."""
    counts, meshed = job_counts(plan), meshed_voxels(plan)
    works = [
        _work(plan, "pyramid_super_chunk", math.prod(plan.levels[stage.base].shape))
        for stage in plan.needed_stages
    ]
    for lod, level in enumerate(plan.levels):
        works.append(_work(plan, "mesh_block", math.prod(level.shape), lod))
    voxels = {"mesh_bundle": meshed, "shard": meshed, "measure_block": plan.voxels}
    voxels |= dict.fromkeys(("measure_shard", "verify_voxels", "verify_shard"), plan.voxels)
    works += [_work(plan, rule, n) for rule, n in voxels.items() if rule in counts]
    works += [job_work(plan, rule, {}) for rule in ("example", "label_map") if rule in counts]
    more_starts = START_S * (sum(counts.values()) - len(works))
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
    return round(built * LEVEL_BYTES_PER_VOXEL * (SPARSE_PART if plan.is_sparse else 1))


def mesh_bytes(plan: Plan) -> int:
    """Bytes of all fragments, which lie in the containers and then in the shards."""
    return round(_faces_per_voxel(plan) * plan.voxels * FRAGMENT_BYTES_PER_FACE)


def result_bytes(plan: Plan) -> int:
    """Bytes of what is served: shards, tables, and the overview of all segments."""
    coarsest = mean_faces(plan, plan.num_lods - 1) * plan.voxels
    overview = min(coarsest * OVERVIEW_BYTES_PER_FACE, MOST_OVERVIEW_BYTES)
    return mesh_bytes(plan) + round(overview + number_of_labels(plan) * TABLE_BYTES_PER_LABEL)


def _faces_per_voxel(plan: Plan) -> float:
    """Triangles of all LODs together per voxel of s0."""
    return sum(mean_faces(plan, lod) for lod in range(plan.num_lods))


def _box_voxels(begin: Sequence[int], end: Sequence[int]) -> int:
    return math.prod(e - b for b, e in zip(begin, end, strict=True))
