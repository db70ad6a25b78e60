"""The jobs of a plan: what each job reads, what it makes, and which other jobs it waits for.

All triples are z, y, x, unless a line says otherwise.
"""

import itertools
import math

import worldarray as wa

from snakemesh.boxes import Box, Index, Nanometres, triple
from snakemesh.job_records import (
    BuiltLevel,
    LevelPart,
    LinkedLevel,
    MeshBlockJob,
    PyramidGroup,
    ShardJob,
    SuperChunkJob,
    halo_voxels,
)
from snakemesh.output.folder import shard_name
from snakemesh.plan.levels import Level
from snakemesh.plan.plan import Plan, Stage
from snakemesh.plan.source import is_local


def super_chunk_job(plan: Plan, stage: Stage, index: Index) -> SuperChunkJob:
    """The job of one super-chunk. index: of the super-chunk in the grid of its stage."""
    begin, end = _super_chunk_box(plan, stage, index)
    targets = (plan.levels[k] for k in stage.targets)
    return SuperChunkJob(
        reads=_level_part(plan, stage.base),
        targets=tuple(level.path if level.is_built else None for level in targets),
        steps=stage.steps,
        begin=begin,
        end=end,
        method=plan.settings.downsample_method,
    )


def mesh_block_job(plan: Plan, lod: int, index: Index) -> MeshBlockJob:
    """The job of one block. index: of the block in the grid `plan.blocks(lod)`."""
    first = triple(i * b for i, b in zip(index, plan.block_cells, strict=True))
    end = (f + b for f, b in zip(first, plan.block_cells, strict=True))
    n_cells = triple(min(e, n) - f for f, e, n in zip(first, end, plan.n_cells[lod], strict=True))
    left_open = plan.settings.roi_boundary == "open"
    return MeshBlockJob(
        lod=lod,
        reads=_level_part(plan, lod),
        first_cell=first,
        n_cells=n_cells,
        tile_cells=plan.tile_cells[lod],
        grid_cells=plan.n_cells[lod],
        cell_voxels=plan.cell_voxels[lod],
        cell_nm=triple(size * 2**lod for size in plan.grid.cell_nm),
        open_sides=tuple(
            (left_open and begin > 0, left_open and end < n)
            for begin, end, n in zip(plan.begin, plan.end, plan.source.shape, strict=True)
        ),
        n_smoothing_iter=smoothing_iterations(plan, lod),
        keep=kept_faces(plan, lod),
        max_error=plan.settings.max_error,
        target_ids=plan.settings.target_ids,
        sharding=plan.sharding,
    )


def kept_faces(plan: Plan, lod: int) -> float:
    """The fraction of an LOD's dense faces that simplification is to keep, at most 1.

    LOD 0 keeps 1 - target_reduction of its dense faces. Each further LOD is to have
    `decimation_factor` times fewer faces than the LOD before it. Its dense surface already has
    fewer, because its voxels are larger; simplification has to remove only the rest.
    """
    by_voxels = _face_density(plan.levels[0]) / _face_density(plan.levels[lod])
    wanted = plan.settings.decimation_factor**lod
    return min(1.0, (1 - plan.settings.target_reduction) * by_voxels / wanted)


def _face_density(level: Level) -> float:
    """What the number of voxel faces of a given surface is proportional to, in 1 / nm^2.

    It is the sum of 1 / (area of the voxel face across the axis) over the three axes.
    """
    z, y, x = level.voxel_size
    return 1 / (z * y) + 1 / (z * x) + 1 / (y * x)


def smoothing_iterations(plan: Plan, lod: int) -> int:
    """Sweeps of smoothing of an LOD: half as many as at the LOD before, rounded down.

    With more, an object that is one voxel wide shrinks to a thread. This was measured on pinky40, a
    public dense segmentation of mouse cortex. With five sweeps at every LOD, the median label held
    92 % of its volume at LOD 2 and 52 % at LOD 3. With 5, 2, 1 and 0 sweeps it held 96 % and 90 %.
    """
    return plan.settings.n_smoothing_iter >> lod


def super_chunks_for_block(plan: Plan, lod: int, index: Index) -> list[tuple[int, Index]]:
    """The super-chunks that make the voxels that a block reads, its halo included.

    Each is (number of its stage, its index). The list is empty if the level exists in the source.
    """
    job = mesh_block_job(plan, lod, index)
    halo = halo_voxels(smoothing_iterations(plan, lod))
    axes = tuple(zip(job.first_cell, job.n_cells, job.cell_voxels, strict=True))
    begin = triple(f * c - halo for f, _, c in axes)
    end = triple((f + n) * c + halo for f, n, c in axes)
    return _super_chunks_of(plan, lod, (begin, end))


def super_chunks_for_super_chunk(plan: Plan, stage: Stage, index: Index) -> list[tuple[int, Index]]:
    """The super-chunks of an earlier stage that make the voxels that this super-chunk reads.

    Each is (number of its stage, its index). The list is empty if the base exists in the source.
    """
    return _super_chunks_of(plan, stage.base, _super_chunk_box(plan, stage, index))


def _super_chunks_of(plan: Plan, level: int, box: Box) -> list[tuple[int, Index]]:
    """The super-chunks that make a box of a level; none if the level exists in the source.

    box: in voxels of the level. It may reach past the ends of the level.
    """
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


def _super_chunk_box(plan: Plan, stage: Stage, index: Index) -> Box:
    """The box of a super-chunk, in voxels of the base."""
    begin = triple(i * s for i, s in zip(index, stage.super_chunk, strict=True))
    end = triple(
        min(b + s, n)
        for b, s, n in zip(begin, stage.super_chunk, plan.levels[stage.base].shape, strict=True)
    )
    return begin, end


def _level_part(plan: Plan, level: int) -> LevelPart:
    """What a job needs to know to read a level."""
    chosen = plan.levels[level]
    return LevelPart(chosen.path, chosen.name, chosen.origin, chosen.shape)


def pyramid_group(plan: Plan) -> PyramidGroup:
    """The group that the missing levels are written to.

    It also gets links to the levels that are read from the source, if these are local zarr arrays.
    """
    is_zarr = plan.source.format in ("zarr2", "zarr3")
    linked = [
        LinkedLevel(f"s{k}", level.path, *_whole_placement(plan, k))
        for k, level in enumerate(plan.levels)
        if not level.is_built and is_zarr and is_local(plan.source)
    ]
    return PyramidGroup(
        path=plan.pyramid_path,
        format=plan.source.format if is_zarr else "zarr2",
        built=tuple(
            BuiltLevel(f"s{k}", level.shape, level.voxel_size, level.translation)
            for k, level in enumerate(plan.levels)
            if level.is_built
        ),
        linked=tuple(linked),
        chunks=plan.chunks,
        dtype=plan.source.dtype,
        method=plan.settings.downsample_method,
    )


def _whole_placement(plan: Plan, level: int) -> tuple[Nanometres, Nanometres]:
    """Voxel size and translation, in nm, of a whole level and not only of the part of it."""
    voxel_size, translation = wa.level_placement(
        plan.source.voxel_size, plan.source.translation, plan.levels[level].factor
    )
    return triple(voxel_size), triple(translation)


def made_from(plan: Plan) -> tuple[tuple[str, object], ...]:
    """What the meshes depend on, besides the labels of the voxels: pairs of a name and a value.

    If any of it changes, everything has to be meshed again. The containers cannot tell, because
    they are temporary and Snakemake forgets their params with them. So the shards have this among
    their params instead.
    """
    keys = (
        "downsample_method",
        "n_smoothing_iter",
        "target_reduction",
        "decimation_factor",
        "max_error",
        "roi_boundary",
        "target_ids",
        "cell_size",
    )
    chosen = tuple((key, getattr(plan.settings, key)) for key in keys)
    return (("levels", plan.levels), ("part", (plan.begin, plan.end)), *chosen)


def shard_job(plan: Plan) -> ShardJob:
    """What all shard jobs of a plan have in common."""
    return ShardJob(plan.grid, plan.sharding, plan.settings.sharded)


def shard_names(plan: Plan) -> list[str]:
    """The names of all shards, see `output.folder.shard_name`."""
    return [shard_name(shard, plan.sharding) for shard in range(plan.sharding.num_shards)]
