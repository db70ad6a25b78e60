"""What a job asks its machine for: memory in MB, time in minutes.

A cluster ends a job that takes more. `estimates` has what jobs are expected to take, which is less.
"""

import math
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from snakemesh.cost.content import dense_faces, expected, number_of_labels
from snakemesh.cost.estimates import bundle_voxels
from snakemesh.cost.mesh_memory import CHUNKS_IN_FLIGHT, block_bytes
from snakemesh.measure_job import margin
from snakemesh.plan.plan import Plan
from snakemesh.plan.stages import Stage
from snakemesh.plan.together import MAX_PROCESSES, blocks_together
from snakemesh.reading import BYTES_WRITING, reading

# Python with the libraries that a job imports takes 200 MB. Snakemake runs beside it, under Slurm
# twice, and a cluster counts 181 MB for each.
BASE_MB = 600
# A mesh_block job asks for this many times what it is expected to take.
MESH_MARGIN = 1.05
# What a shard job holds of each fragment while it lays the shard out
SHARD_BYTES_PER_FRAGMENT = 300
# Contacts of a shard job: triangles of dense surfaces for a part of a patch; parts for a label, in
# volumes of small ones; and what the job holds of each part
TRIANGLES_PER_CONTACT = 600
CONTACTS_PER_LABEL = 10
SHARD_BYTES_PER_CONTACT = 100
SHARD_CONTACTS_MB = 70
# What a bundle job holds: the tables of its containers, 64 KB each, and blocks of 16 MiB of payload
BUNDLE_MB = 150
# What the index job holds of the summaries while it merges them; of each segment that the viewer
# lists; of each segment whose neighbours it counts; and of each byte of the user's table
INDEX_MB = 400
INDEX_BYTES_PER_LISTED = 1200
INDEX_BYTES_PER_LABEL = 12
# The most segments that have a point in the viewer's layer of centroids, and what the index job
# holds of each.
MOST_POINTS = 10_000_000
INDEX_BYTES_PER_POINT = 200
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
# Bytes of a measure_block job for each voxel in memory; its voxels a second, a third of what was
# measured; and bytes of each measure of a label while measures are merged.
MEASURE_BYTES_PER_VOXEL = 60
GUARANTEED_MEASURE_VOXELS_PER_S = 1.5e6
MEASURE_BYTES_PER_LABEL = 180
# Memory of the multires_index job for each label whose colour a column decides (92 measured).
COLOUR_BYTES_PER_LABEL = 120
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


class Resources(NamedTuple):
    """Memory in MB and time in minutes, by Snakemake's names for them."""

    mem_mb: int
    runtime: int


def resources_of(plan: Plan, rule: str, lod: int = 0) -> Resources:
    """What the first attempt at a job of a rule asks for. lod: of a block."""
    return _mesh_block(plan, lod) if rule == "mesh_block" else _RESOURCES[rule](plan)


def mesh_mem_mb(plan: Plan, lod: int, processes: int = 1) -> int:
    """MB for a block of an LOD: its job holds one tile, or what a cell is made of."""
    megabytes = _mb(MESH_MARGIN * block_bytes(plan, lod, processes))
    return BASE_MB + megabytes + (_mapping_mb(plan) if lod == 0 else 0)


def _mesh_block(plan: Plan, lod: int) -> Resources:
    voxels = _block_voxels(plan, lod)
    return Resources(mesh_mem_mb(plan, lod), _minutes(voxels, GUARANTEED_MESH_VOXELS_PER_S))


def _small_lods(plan: Plan) -> Resources:
    """The job meshes one block after another."""
    lods = {lod for lod, _ in blocks_together(plan)}
    memory = max(mesh_mem_mb(plan, lod, MAX_PROCESSES) for lod in lods)
    voxels = sum(math.prod(plan.levels[lod].shape) for lod in lods)
    return Resources(memory, _minutes(voxels, GUARANTEED_MESH_VOXELS_PER_S))


def _label_map(plan: Plan) -> Resources:
    rows = 0 if plan.table is None else plan.table.rows
    return Resources(BASE_MB + SORT_MB, _minutes(rows, GUARANTEED_ROWS_PER_S))


def _super_chunk(plan: Plan) -> Resources:
    """For all super-chunks: what the stage that needs most, and the largest of them take."""
    largest = max((_stage_bytes(plan, stage) for stage in plan.stages), default=0)
    voxels = max((_super_chunk_voxels(plan, stage) for stage in plan.stages), default=0)
    memory = BASE_MB + _mapping_mb(plan) + _mb(largest)
    return Resources(memory, _minutes(voxels, GUARANTEED_PYRAMID_VOXELS_PER_S))


def _stage_bytes(plan: Plan, stage: Stage) -> int:
    """Bytes that a super-chunk of a stage holds at most.

    It holds the pieces that are being read, the chunks of the base that are decoded for them, the
    votes on one piece, one chunk of each level, and the writes under way.
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


def _bundle(plan: Plan) -> Resources:
    """The job holds the tables of its containers and a section. It copies fragments."""
    voxels = max(bundle_voxels(plan, lod) for lod in range(plan.num_lods))
    return Resources(BASE_MB + BUNDLE_MB, _minutes(voxels, GUARANTEED_BUNDLE_VOXELS_PER_S))


def _shard(plan: Plan) -> Resources:
    """The job holds records and contacts, not the fragments, which it copies."""
    lods, n_shards = range(plan.num_lods), plan.sharding.num_shards
    fragments = sum(expected(plan, lod, plan.voxels).fragments for lod in lods) * plan.voxels
    memory = BASE_MB + _mb(fragments / n_shards * SHARD_BYTES_PER_FRAGMENT)
    if plan.settings.contacts:
        parts = dense_faces(plan, 0, plan.voxels) * plan.voxels / TRIANGLES_PER_CONTACT
        parts += CONTACTS_PER_LABEL * number_of_labels(plan)
        memory += SHARD_CONTACTS_MB + _mb(parts / n_shards * SHARD_BYTES_PER_CONTACT)
    return Resources(memory, _minutes(plan.voxels // n_shards, GUARANTEED_SHARD_VOXELS_PER_S))


def _measure_block(plan: Plan) -> Resources:
    """The job holds a piece of its box with its margin."""
    more = margin(plan.settings.measures, plan.source.voxel_size)
    axes = zip(plan.levels[0].shape, more, strict=True)
    voxels = math.prod(min(VERIFY_PIECE + 2 * m, n) for n, m in axes)
    memory = BASE_MB + _mb(voxels * MEASURE_BYTES_PER_VOXEL) + _mapping_mb(plan)
    return Resources(memory, _minutes(_block_voxels(plan, 0), GUARANTEED_MEASURE_VOXELS_PER_S))


def _measure_labels(plan: Plan) -> Resources:
    """The job holds the measures of all labels, and sides of blocks."""
    labels = number_of_labels(plan)
    held = labels * MEASURE_BYTES_PER_LABEL * len(plan.settings.measures)
    return Resources(
        BASE_MB + INDEX_MB + _mb(held), _minutes(labels, GUARANTEED_INDEX_LABELS_PER_S)
    )


def _index(plan: Plan) -> Resources:
    """The job lists segments in memory, and streams the rest.

    Where all segments are listed, their number is an estimate.
    """
    settings, labels = plan.settings, number_of_labels(plan)
    limit, table = settings.max_properties, settings.segment_properties_csv
    held = (labels if limit is None else min(limit, plan.voxels)) * INDEX_BYTES_PER_LISTED
    held += min(labels, MOST_POINTS) * INDEX_BYTES_PER_POINT
    if table is not None:
        held += os.path.getsize(table) * INDEX_BYTES_PER_TABLE_BYTE
    if settings.contacts:
        held += labels * INDEX_BYTES_PER_LABEL
    if settings.measures:
        held += labels * MEASURE_BYTES_PER_LABEL
    if settings.segment_colors is not None:
        held += labels * COLOUR_BYTES_PER_LABEL
    return Resources(
        BASE_MB + INDEX_MB + _mb(held), _minutes(labels, GUARANTEED_INDEX_LABELS_PER_S)
    )


def _verify_voxels(plan: Plan) -> Resources:
    """The job holds one piece of its box."""
    voxels = math.prod(min(VERIFY_PIECE, n) for n in plan.levels[0].shape)
    minutes = _minutes(_block_voxels(plan, 0), GUARANTEED_PYRAMID_VOXELS_PER_S)
    return Resources(BASE_MB + _mb(voxels * VERIFY_BYTES_PER_VOXEL), minutes)


def _verify_shard(plan: Plan) -> Resources:
    """The job holds the manifests of its labels, and one mesh at a time, which it decodes."""
    n_shards = plan.sharding.num_shards
    manifests = _mb(number_of_labels(plan) / n_shards * VERIFY_BYTES_PER_LABEL)
    minutes = _minutes(plan.voxels // n_shards, GUARANTEED_VERIFY_VOXELS_PER_S)
    return Resources(BASE_MB + VERIFY_MESH_MB + manifests, minutes)


_RESOURCES: dict[str, Callable[[Plan], Resources]] = {
    "label_map": _label_map,
    "pyramid_super_chunk": _super_chunk,
    "mesh_small_lods": _small_lods,
    "mesh_bundle": _bundle,
    "measure_block": _measure_block,
    # it reads meshes one by one, as verification does
    "measure_shard": _verify_shard,
    "measure_labels": _measure_labels,
    "shard": _shard,
    "multires_index": _index,
    "verify_voxels": _verify_voxels,
    "verify_shard": _verify_shard,
    "verify_table": _index,
    "report_files": lambda _: Resources(3000, 30),
}


def _mapping_mb(plan: Plan) -> int:
    """MB for the labels that a job meets and the index of the table of bodies, if there is one."""
    return 0 if plan.table is None else MAPPING_MB + _mb(plan.table.rows * INDEX_BYTES_PER_ROW)


def _block_voxels(plan: Plan, lod: int) -> int:
    """Voxels of a block of an LOD, which has whole cells."""
    cells = math.prod(map(min, plan.block_cells[lod], plan.n_cells[lod]))
    return cells * math.prod(plan.cell_voxels[lod])


def _mb(n_bytes: float) -> int:
    return math.ceil(n_bytes / 1e6)


def _minutes(amount: int, per_s: float) -> int:
    """Minutes for so many voxels, rows or labels, never less than MIN_MINUTES."""
    return max(MIN_MINUTES, math.ceil(amount / per_s / 60))
