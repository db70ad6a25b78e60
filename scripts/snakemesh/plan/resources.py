"""What a job asks its machine for, from the plan. Memory in MB, time in minutes."""

import math

import numpy as np

from snakemesh.job_records import halo_voxels
from snakemesh.plan.jobs import smoothing_iterations
from snakemesh.plan.plan import VOXELS_PER_LABEL, Plan, Stage
from snakemesh.reading import BYTES_WRITING, reading

# What every job needs: Python with the libraries that it imports takes 200 MB. Snakemake runs
# beside it, under Slurm twice, and a cluster counts 181 MB for each.
BASE_MB = 600
# How many of the chunks that a read touches tensorstore holds at a time: it decodes on as many
# threads as the job has, and worldarray lets it read 8 files at once.
CHUNKS_IN_FLIGHT = 8
# Extraction and surfaces take some 38 bytes a face. Dense tissue has up to 1.2 faces a voxel.
MESH_BYTES_PER_VOXEL = 46
# Fragments of a label in dense tissue, and what a shard job holds of each to lay a shard out.
FRAGMENTS_PER_LABEL = 4
SHARD_BYTES_PER_FRAGMENT = 300
# Voxels a second that one core does at the least, also on a slow disk, so that a cluster does not
# end a job that is only slow. They are 2.5 to 25 times lower than the rates in `estimates`.
GUARANTEED_PYRAMID_VOXELS_PER_S = 2e6
GUARANTEED_MESH_VOXELS_PER_S = 4e5
GUARANTEED_SHARD_VOXELS_PER_S = 2e6


def mesh_mem_mb(plan: Plan, lod: int) -> int:
    """Peak memory of a mesh_block job: one tile with its halo."""
    margin = 2 * halo_voxels(smoothing_iterations(plan, lod))
    voxels = math.prod(
        min(t * c, n) + margin
        for t, c, n in zip(
            plan.tile_cells[lod], plan.cell_voxels[lod], plan.levels[lod].shape, strict=True
        )
    )
    itemsize = np.dtype(plan.source.dtype).itemsize
    return BASE_MB + math.ceil(voxels * (MESH_BYTES_PER_VOXEL + 2 * itemsize) / 1e6)


def pyramid_mem_mb(plan: Plan) -> int:
    """Peak memory of a pyramid_super_chunk job, of the stage that needs most."""
    return BASE_MB + math.ceil(max((_stage_bytes(plan, s) for s in plan.stages), default=0) / 1e6)


def _stage_bytes(plan: Plan, stage: Stage) -> int:
    """Pieces being read and the chunks decoded for them, a chunk of every level, and writes."""
    base = plan.levels[stage.base]
    itemsize = np.dtype(plan.source.dtype).itemsize
    first = next(i for i, k in enumerate(stage.targets) if plan.levels[k].is_built)
    factor = plan.levels[stage.targets[first]].relative_to(base)
    stored = plan.chunks if base.is_built else plan.source.chunks
    how = reading(
        tuple(c * f for c, f in zip(plan.chunks, factor, strict=True)),
        stored,
        base.origin,
        plan.levels[stage.targets[-1]].relative_to(base),
        itemsize,
    )
    chunk = math.prod(plan.chunks) * itemsize
    source_chunk = math.prod(stored) * itemsize
    n_pieces = math.ceil(_super_chunk_voxels(plan, stage) * itemsize / how.piece_bytes)
    at_once = min(how.at_once, n_pieces)
    decoded = min(at_once * how.decoded_bytes, CHUNKS_IN_FLIGHT * source_chunk)
    read = at_once * how.piece_bytes + decoded
    # a chunk is encoded beside what it holds
    written = 2 * (min(BYTES_WRITING, n_pieces * how.piece_bytes) + chunk)
    return read + how.piece_bytes // 4 + len(stage.targets) * chunk + written


def _super_chunk_voxels(plan: Plan, stage: Stage) -> int:
    return math.prod(map(min, stage.super_chunk, plan.levels[stage.base].shape))


def minutes(voxels: int, voxels_per_s: float) -> int:
    """Time to ask for, at a rate that slow disks and cores keep; never less than ten minutes."""
    return max(10, math.ceil(voxels / voxels_per_s / 60))


def pyramid_runtime(plan: Plan) -> int:
    """Minutes of a pyramid_super_chunk job."""
    voxels = max((_super_chunk_voxels(plan, stage) for stage in plan.stages), default=0)
    return minutes(voxels, GUARANTEED_PYRAMID_VOXELS_PER_S)


def mesh_runtime(plan: Plan, lod: int) -> int:
    """Minutes of a mesh_block job."""
    cells = (min(b, n) for b, n in zip(plan.block_cells, plan.n_cells[lod], strict=True))
    return minutes(
        math.prod(cells) * math.prod(plan.cell_voxels[lod]), GUARANTEED_MESH_VOXELS_PER_S
    )


def shard_runtime(plan: Plan) -> int:
    """Minutes of a shard job, which copies the fragments of its share of the volume."""
    return minutes(_voxels(plan) // plan.sharding.num_shards, GUARANTEED_SHARD_VOXELS_PER_S)


def shard_mem_mb(plan: Plan) -> int:
    """Peak memory of a shard job: the records of its fragments, not the fragments."""
    labels = _voxels(plan) / plan.sharding.num_shards / VOXELS_PER_LABEL
    return BASE_MB + math.ceil(labels * FRAGMENTS_PER_LABEL * SHARD_BYTES_PER_FRAGMENT / 1e6)


def _voxels(plan: Plan) -> int:
    return math.prod(e - b for b, e in zip(plan.begin, plan.end, strict=True))
