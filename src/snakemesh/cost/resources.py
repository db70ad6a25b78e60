"""What a job asks its machine for: memory in MB, time in minutes.

A cluster ends a job that takes more. `estimates` has what jobs are expected to take, which is less.
"""

import math
import os

import numpy as np

from snakemesh.cost.content import expected, number_of_labels
from snakemesh.cost.estimates import bundle_voxels
from snakemesh.cost.mesh_memory import CHUNKS_IN_FLIGHT, block_bytes
from snakemesh.plan.plan import Plan
from snakemesh.plan.stages import Stage
from snakemesh.plan.together import blocks_together
from snakemesh.reading import BYTES_WRITING, reading

# Python with the libraries that a job imports takes 200 MB. Snakemake runs beside it, under Slurm
# twice, and a cluster counts 181 MB for each.
BASE_MB = 600
# What a mesh_block job asks for, times what it is expected to take.
MESH_MARGIN = 1.05
# What a shard job holds of each fragment while it lays the shard out
SHARD_BYTES_PER_FRAGMENT = 300
# What a bundle job holds: the tables of its containers, 64 KB each, and blocks of 16 MiB of payload
BUNDLE_MB = 150
# What the index job holds of the summaries while it merges them; of each segment that the viewer
# lists; and of each byte of the user's table
INDEX_MB = 400
INDEX_BYTES_PER_LISTED = 1200
INDEX_BYTES_PER_TABLE_BYTE = 20
GUARANTEED_INDEX_LABELS_PER_S = 1e5
# A core does at least this many voxels a second. It is a third of what was measured in dense tissue
# and in noise, because a cluster must not end a job that is only slow.
GUARANTEED_PYRAMID_VOXELS_PER_S = 2e6
GUARANTEED_MESH_VOXELS_PER_S = 4e5
GUARANTEED_SHARD_VOXELS_PER_S = 2e6
GUARANTEED_BUNDLE_VOXELS_PER_S = 2e7
GUARANTEED_VERIFY_VOXELS_PER_S = 4e5
# Voxels on an axis that a verify_voxels job has in memory, and its bytes for each: tissue has few
# runs of a label along x, but it may be noise.
VERIFY_PIECE = 256
VERIFY_BYTES_PER_VOXEL = 60
# Memory of a verify_shard job for each label: its manifest. One mesh is in memory too.
VERIFY_BYTES_PER_LABEL = 3000
VERIFY_MESH_MB = 1000
MIN_MINUTES = 10
# Memory of a job that turns labels into bodies: a million labels that it sees, and the parts of the
# table that it reads.
MAPPING_MB = 150
# The index of the sorted table, and its bytes as they are read.
INDEX_BYTES_PER_ROW = 1 / 8
# What the sorting of a table takes, whatever its number of rows, and its rows a second, a third of
# what was measured.
SORT_MB = 800
GUARANTEED_ROWS_PER_S = 7e5


def mesh_mem_mb(plan: Plan, lod: int) -> int:
    """MB that a mesh_block job of an LOD asks for: it holds one tile, or what a cell is made of."""
    megabytes = math.ceil(MESH_MARGIN * block_bytes(plan, lod) / 1e6)
    return BASE_MB + megabytes + (_mapping_mb(plan) if lod == 0 else 0)


def pyramid_mem_mb(plan: Plan) -> int:
    """MB that every pyramid_super_chunk job asks for: what the stage that needs most takes."""
    largest = max((_stage_bytes(plan, s) for s in plan.stages), default=0)
    return BASE_MB + _mapping_mb(plan) + math.ceil(largest / 1e6)


def _mapping_mb(plan: Plan) -> int:
    """MB for the labels that a job meets and the index of the table of bodies, if there is one."""
    if plan.table is None:
        return 0
    return MAPPING_MB + math.ceil(plan.table.rows * INDEX_BYTES_PER_ROW / 1e6)


def _stage_bytes(plan: Plan, stage: Stage) -> int:
    """Bytes that a super-chunk of a stage holds at most.

    These are the pieces that are being read with the chunks of the base that are decoded for them,
    the votes on one piece, one chunk of each level, and the writes under way.
    """
    base = plan.levels[stage.base]
    # where labels become bodies, these may be of a larger type
    itemsize = np.dtype(plan.dtype).itemsize
    finest = next(k for k in stage.targets if plan.levels[k].is_built)
    factor = plan.levels[finest].relative_to(base)
    stored = plan.chunks if base.is_built else plan.source.chunks
    how = reading(
        tuple(c * f for c, f in zip(plan.chunks, factor, strict=True)),
        stored,
        base.origin,
        plan.levels[stage.targets[-1]].relative_to(base),
        itemsize,
    )
    chunk = math.prod(plan.chunks) * itemsize
    base_chunk = math.prod(stored) * itemsize
    n_pieces = math.ceil(_super_chunk_voxels(plan, stage) * itemsize / how.piece_bytes)
    at_once = min(how.at_once, n_pieces)
    decoded = min(at_once * how.decoded_bytes, CHUNKS_IN_FLIGHT * base_chunk)
    read = at_once * how.piece_bytes + decoded
    # halving two axes leaves a quarter of the voxels of a piece
    votes = how.piece_bytes // 4
    # every chunk is there twice: as it is, and encoded
    written = 2 * (min(BYTES_WRITING, n_pieces * how.piece_bytes) + chunk)
    bodies = how.piece_bytes if plan.table is not None and not base.is_built else 0
    return read + bodies + votes + len(stage.targets) * chunk + written


def _super_chunk_voxels(plan: Plan, stage: Stage) -> int:
    """Voxels of the base in the largest super-chunk of a stage."""
    return math.prod(map(min, stage.super_chunk, plan.levels[stage.base].shape))


def label_map_mem_mb() -> int:
    """MB that the sorting of a table of bodies asks for."""
    return BASE_MB + SORT_MB


def label_map_runtime(plan: Plan) -> int:
    """Minutes that the sorting of a table of bodies asks for."""
    return minutes(0 if plan.table is None else plan.table.rows, GUARANTEED_ROWS_PER_S)


def minutes(amount: int, per_s: float) -> int:
    """Minutes that a job asks for, never less than MIN_MINUTES. per_s: a rate from above."""
    return max(MIN_MINUTES, math.ceil(amount / per_s / 60))


def pyramid_runtime(plan: Plan) -> int:
    """Minutes that every pyramid_super_chunk job asks for: what the largest super-chunk takes."""
    voxels = max((_super_chunk_voxels(plan, stage) for stage in plan.stages), default=0)
    return minutes(voxels, GUARANTEED_PYRAMID_VOXELS_PER_S)


def mesh_runtime(plan: Plan, lod: int) -> int:
    """Minutes that a mesh_block job of an LOD asks for."""
    cells = (min(b, n) for b, n in zip(plan.block_cells[lod], plan.n_cells[lod], strict=True))
    return minutes(
        math.prod(cells) * math.prod(plan.cell_voxels[lod]), GUARANTEED_MESH_VOXELS_PER_S
    )


def bundle_mem_mb() -> int:
    """MB that a mesh_bundle job asks for: the tables of its containers, and a section."""
    return BASE_MB + BUNDLE_MB


def bundle_runtime(plan: Plan) -> int:
    """Minutes that a mesh_bundle job asks for. It copies the fragments of its blocks."""
    voxels = max(bundle_voxels(plan, lod) for lod in range(plan.num_lods))
    return minutes(voxels, GUARANTEED_BUNDLE_VOXELS_PER_S)


def small_lods_mem_mb(plan: Plan) -> int:
    """MB that the mesh_small_lods job asks for: it meshes one block after another."""
    return max(mesh_mem_mb(plan, lod) for lod, _ in blocks_together(plan))


def small_lods_runtime(plan: Plan) -> int:
    """Minutes that the mesh_small_lods job asks for."""
    voxels = sum(math.prod(plan.levels[k].shape) for k in {k for k, _ in blocks_together(plan)})
    return minutes(voxels, GUARANTEED_MESH_VOXELS_PER_S)


def shard_runtime(plan: Plan) -> int:
    """Minutes that a shard job asks for. It copies the fragments of its share of the volume."""
    return minutes(_voxels(plan) // plan.sharding.num_shards, GUARANTEED_SHARD_VOXELS_PER_S)


def shard_mem_mb(plan: Plan) -> int:
    """MB that a shard job asks for: it holds the records of its fragments, not the fragments."""
    voxels = math.prod(plan.levels[0].shape)
    per_voxel = sum(expected(plan, lod, voxels).fragments for lod in range(plan.num_lods))
    fragments = per_voxel * voxels / plan.sharding.num_shards
    return BASE_MB + math.ceil(fragments * SHARD_BYTES_PER_FRAGMENT / 1e6)


def verify_voxels_mem_mb(plan: Plan) -> int:
    """MB that a verify_voxels job asks for: it holds one piece of its box."""
    voxels = math.prod(min(VERIFY_PIECE, n) for n in plan.levels[0].shape)
    return BASE_MB + math.ceil(voxels * VERIFY_BYTES_PER_VOXEL / 1e6)


def verify_voxels_runtime(plan: Plan) -> int:
    """Minutes that a verify_voxels job asks for: it reads the voxels of a block."""
    cells = math.prod(map(min, plan.block_cells[0], plan.n_cells[0]))
    return minutes(cells * math.prod(plan.cell_voxels[0]), GUARANTEED_PYRAMID_VOXELS_PER_S)


def verify_mem_mb(plan: Plan) -> int:
    """MB that a verify_shard job asks for: the manifests of its labels, and one mesh at a time."""
    labels = number_of_labels(plan) / plan.sharding.num_shards
    return BASE_MB + VERIFY_MESH_MB + math.ceil(labels * VERIFY_BYTES_PER_LABEL / 1e6)


def verify_runtime(plan: Plan) -> int:
    """Minutes that a verify_shard job asks for: it decodes the meshes of its share."""
    return minutes(_voxels(plan) // plan.sharding.num_shards, GUARANTEED_VERIFY_VOXELS_PER_S)


def index_mem_mb(plan: Plan) -> int:
    """MB that the multires_index job asks for: it lists segments in memory, and streams the rest.

    Where all segments are listed, their number is an estimate.
    """
    limit, table = plan.settings.max_properties, plan.settings.segment_properties_csv
    listed = number_of_labels(plan) if limit is None else min(limit, _voxels(plan))
    table_bytes = 0 if table is None else os.path.getsize(table)
    held = listed * INDEX_BYTES_PER_LISTED + table_bytes * INDEX_BYTES_PER_TABLE_BYTE
    return BASE_MB + INDEX_MB + math.ceil(held / 1e6)


def index_runtime(plan: Plan) -> int:
    """Minutes that the multires_index job asks for."""
    return minutes(number_of_labels(plan), GUARANTEED_INDEX_LABELS_PER_S)


def _voxels(plan: Plan) -> int:
    """Voxels of s0 that are meshed."""
    return math.prod(e - b for b, e in zip(plan.begin, plan.end, strict=True))
