"""The jobs of a plan: what each reads, what it makes, and which others it waits for.

Three parts are z y x.
"""

import itertools
import math
from collections.abc import Sequence

from snakemesh.boxes import Box, Index, Shape, triple
from snakemesh.chunk_files import ChunkFiles, Watch
from snakemesh.halo import halo_voxels
from snakemesh.job_records import (
    LabelMap,
    MeshBlockJob,
    OwnLevel,
    ShardJob,
    SuperChunkJob,
    VerifyJob,
)
from snakemesh.label_list import NO_LISTS, LabelLists
from snakemesh.measure_job import CurvatureJob, MeasureJob, margin, of_voxels
from snakemesh.output.folder import shard_name
from snakemesh.plan.finer import counted_voxels, finer_job
from snakemesh.plan.levels import Level
from snakemesh.plan.plan import Plan
from snakemesh.plan.stages import Stage


def super_chunk_job(
    plan: Plan,
    stage: Stage,
    index: Index,
    watch: Watch | None = None,
    label_map: LabelMap | None = None,
) -> SuperChunkJob:
    """The job of one super-chunk. watch: the chunks of the input that it reads.

    label_map: of the labels that it reads.
    """
    begin, end = super_chunk_box(plan, stage, index)
    return SuperChunkJob(
        reads=plan.levels[stage.base].part,
        targets=tuple(built_files(plan, k) for k in stage.targets),
        steps=stage.steps,
        begin=begin,
        end=end,
        method=plan.settings.downsample_method,
        watch=watch,
        label_map=label_map,
    )


def built_files(plan: Plan, level: int) -> ChunkFiles | None:
    """The files of a level that is built, None for one of the source's."""
    chosen = plan.levels[level]
    if not chosen.is_built:
        return None
    name = "{i[0]}/{i[1]}/{i[2]}"
    is_zarr3 = plan.source.format == "zarr3"
    return ChunkFiles(chosen.path, chosen.shape, plan.chunks, f"c/{name}" if is_zarr3 else name)


def mesh_block_job(
    plan: Plan,
    lod: int,
    index: Index,
    watch: Watch | None = None,
    lists: LabelLists = NO_LISTS,
    label_map: LabelMap | None = None,
    containers: Sequence[str] = (),
) -> MeshBlockJob:
    """The job of one block of an LOD.

    watch, label_map: as for a super-chunk. lists: the labels that the configuration lists.
    containers: those of `finer_blocks`, where the LOD is made of fragments.
    """
    block = plan.block_cells[lod]
    first = triple(i * b for i, b in zip(index, block, strict=True))
    end = (f + b for f, b in zip(first, block, strict=True))
    n_cells = triple(min(e, n) - f for f, e, n in zip(first, end, plan.n_cells[lod], strict=True))
    return MeshBlockJob(
        lod=lod,
        reads=plan.levels[lod].part,
        first_cell=first,
        n_cells=n_cells,
        tile_cells=plan.tile_cells[lod],
        grid_cells=plan.n_cells[lod],
        cell_voxels=plan.cell_voxels[lod],
        cell_nm=triple(size * 2**lod for size in plan.grid.cell_nm),
        ends=triple(
            n / f for n, f in zip(plan.levels[0].shape, plan.levels[lod].factor, strict=True)
        ),
        n_smoothing_iter=smoothing_iterations(plan, lod),
        keep=kept_faces(plan, lod),
        max_error=plan.settings.max_error,
        label_lists=lists,
        sharding=plan.sharding,
        watch=watch,
        label_map=label_map,
        finer=finer_job(plan, lod, containers),
        voxels_of_s0=counted_voxels(plan, lod),
        contacts=plan.settings.contacts if lod == 0 else False,
    )


def blocks_of_bundle(plan: Plan, lod: int, number: int) -> list[Index]:
    """The indices of the blocks of a bundle of an LOD."""
    grid, size = plan.blocks(lod), plan.blocks_per_bundle
    numbers = range(number * size, min((number + 1) * size, math.prod(grid)))
    return [(n // grid[2] // grid[1], n // grid[2] % grid[1], n % grid[2]) for n in numbers]


def kept_faces(plan: Plan, lod: int) -> float:
    """The part of an LOD's dense faces to keep; of the faces of the LOD below, if made of these.

    LOD 0 keeps 1 - target_reduction of them. Each further LOD has `decimation_factor` times fewer
    faces than the one before. Meshing fewer voxels gives a part of that by itself: the number of
    voxel faces of a surface is proportional to the sum over the axes of 1 / (the area of a voxel
    across the axis).
    """

    if plan.is_of_fragments(lod):
        return 1 / plan.settings.decimation_factor

    def density(level: Level) -> float:
        z, y, x = level.voxel_size
        return 1 / (z * y) + 1 / (z * x) + 1 / (y * x)

    by_voxels = density(plan.levels[0]) / density(plan.levels[lod])
    wanted = float(plan.settings.decimation_factor) ** lod
    return min(1.0, (1 - plan.settings.target_reduction) * by_voxels / wanted)


def smoothing_iterations(plan: Plan, lod: int) -> int:
    """Sweeps of smoothing of an LOD: half as many as of the one before.

    More sweeps would shrink what is a voxel wide to a thread: docs/measurements.md has the volumes.
    """
    return plan.settings.n_smoothing_iter >> lod


def super_chunks_for_block(plan: Plan, lod: int, index: Index) -> list[tuple[int, Index]]:
    """(stage, index) of the super-chunks that make what a block reads, its halo included."""
    if plan.is_of_fragments(lod):
        return []
    return _super_chunks_of(plan, lod, block_box(plan, lod, index))


def super_chunks_for_super_chunk(plan: Plan, stage: Stage, index: Index) -> list[tuple[int, Index]]:
    """(stage, index) of the super-chunks of earlier stages that make what this one reads."""
    return _super_chunks_of(plan, stage.base, super_chunk_box(plan, stage, index))


def block_box(plan: Plan, lod: int, index: Index) -> Box:
    """The voxels of its level that a block reads, its halo included, as far as there are any."""
    halo = halo_voxels(smoothing_iterations(plan, lod))
    return _wider(own_box(plan, lod, index), (halo,) * 3, plan.levels[lod].shape)


def own_box(plan: Plan, lod: int, index: Index) -> Box:
    """The voxels of its level that belong to a block, without its halo."""
    per_axis = zip(
        index, plan.block_cells[lod], plan.cell_voxels[lod], plan.levels[lod].shape, strict=True
    )
    ranges = [(i * b * c, min((i + 1) * b * c, n)) for i, b, c, n in per_axis]
    return triple(begin for begin, _ in ranges), triple(end for _, end in ranges)


def measured_box(plan: Plan, index: Index) -> Box:
    """The voxels of s0 that a block is measured by: its own, and what these depend on."""
    more = margin(plan.settings.measures, plan.source.voxel_size)
    return _wider(own_box(plan, 0, index), more, plan.levels[0].shape)


def _wider(box: Box, more: Shape, shape: Shape) -> Box:
    """A box with `more` voxels on each side, as far as a level of this shape has them."""
    begin = triple(max(b - m, 0) for b, m in zip(box[0], more, strict=True))
    return begin, triple(min(e + m, n) for e, m, n in zip(box[1], more, shape, strict=True))


def measure_job(
    plan: Plan, index: Index, watch: Watch | None = None, label_map: LabelMap | None = None
) -> MeasureJob:
    """The job that measures a block of LOD 0. watch, label_map: as for a super-chunk."""
    begin, end = own_box(plan, 0, index)
    return MeasureJob(
        reads=plan.levels[0].part,
        begin=begin,
        end=end,
        voxel_nm=plan.source.voxel_size,
        measures=of_voxels(plan.settings.measures),
        watch=watch,
        label_map=label_map,
    )


def _super_chunks_of(plan: Plan, level: int, box: Box) -> list[tuple[int, Index]]:
    """The super-chunks that make a box, in voxels, of a level; none if it exists already."""
    if not plan.levels[level].is_built:
        return []
    number, stage = next((i, s) for i, s in enumerate(plan.stages) if level in s.targets)
    factor = plan.levels[level].relative_to(plan.levels[stage.base])
    size = [s // f for s, f in zip(stage.super_chunk, factor, strict=True)]
    ranges = [
        range(max(begin // s, 0), min(math.ceil(end / s), n))
        for begin, end, s, n in zip(*box, size, stage.grid, strict=True)
    ]
    return [(number, triple(index)) for index in itertools.product(*ranges)]


def super_chunk_box(plan: Plan, stage: Stage, index: Index) -> Box:
    """The voxels of its base level that a super-chunk covers."""
    begin = triple(i * s for i, s in zip(index, stage.super_chunk, strict=True))
    sizes = zip(begin, stage.super_chunk, plan.levels[stage.base].shape, strict=True)
    end = triple(min(b + s, n) for b, s, n in sizes)
    return begin, end


def shard_job(plan: Plan) -> ShardJob:
    """What all shards of a plan have in common."""
    return ShardJob(
        grid=plan.grid,
        sharding=plan.sharding,
        sharded=plan.settings.sharded,
        min_voxels=plan.settings.min_voxels,
        voxel_nm=triple(plan.source.voxel_size[::-1]),
    )


def curvature_job(plan: Plan) -> CurvatureJob:
    """What all jobs that measure shards have in common."""
    shard = shard_job(plan)
    axes = zip(plan.grid.origin_nm, plan.levels[0].shape[::-1], shard.voxel_nm, strict=True)
    return CurvatureJob(shard, triple(begin + n * side for begin, n, side in axes))


def verify_job(plan: Plan, lists: LabelLists = NO_LISTS, label_map: str | None = None) -> VerifyJob:
    """What all jobs that verify an output have in common. label_map: the sorted table of bodies."""
    sharding = plan.sharding
    return VerifyJob(
        reads=plan.levels[0].part,
        voxel_nm=triple(plan.source.voxel_size[::-1]),
        grid=plan.grid,
        sharding={
            "hash": "murmurhash3_x86_128",
            "preshift_bits": sharding.preshift_bits,
            "minishard_bits": sharding.minishard_bits,
            "shard_bits": sharding.shard_bits,
        },
        sharded=plan.settings.sharded,
        max_error=plan.settings.max_error,
        label_lists=lists,
        min_voxels=plan.settings.min_voxels,
        label_map=label_map,
        keep_rest=plan.settings.label_map_rest == "keep",
        own_levels=tuple(
            OwnLevel(k, level.part, level.factor)
            for k, level in enumerate(plan.levels)
            if k > 0 and not level.is_built and not plan.is_of_fragments(k)
        ),
    )


def shard_names(plan: Plan) -> list[str]:
    """The names of all shards, as `output.folder` spells them."""
    return [shard_name(shard, plan.sharding) for shard in range(plan.sharding.num_shards)]
