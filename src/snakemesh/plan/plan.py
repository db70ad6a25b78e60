"""The plan of a run: all decisions, made once from the configuration and the metadata alone.

All triples are z, y, x, except those of `OctreeGrid`. They are x, y, z, like all that the viewer
reads.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from snakemesh.boxes import Shape, ceil_div, triple
from snakemesh.config.settings import Settings
from snakemesh.errors import UserError
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.label_values import LabelValues
from snakemesh.measure_job import of_voxels
from snakemesh.output.folder import PYRAMID
from snakemesh.plan.blocks import SPARSE_GROWTH, block_cells, blocks_per_bundle, tile_cells
from snakemesh.plan.box_figures import Sample
from snakemesh.plan.levels import NO_MISMATCHES, Level, plan_levels
from snakemesh.plan.placement import aligned_roi, base_of, chosen_num_lods, level_factors
from snakemesh.plan.stages import Stage, built_chunks, stages_of
from snakemesh.plan.together import blocks_together
from snakemesh.source.level import SourceLevel
from snakemesh.tables.bodies import TableFacts

# With this many voxels, a shard of dense tissue has some gigabytes.
VOXELS_PER_SHARD = 1 << 32
# What a label is assumed to have, to estimate the number of labels
VOXELS_PER_LABEL = 50_000
# The viewer fetches the index of a minishard as a whole, so it must not get long.
LABELS_PER_MINISHARD = 1000
MAX_SHARD_BITS = 10
# Cells on an axis: what the Z-order keys of `multires.octree` have room for.
MAX_CELLS = 1 << 21
# Voxels of s0 in all: with more, shards and minishards take more bits than `Sharding` has.
MAX_VOXELS = 1 << 57
# Sizes of voxels are rounded to this many decimals, so that cube roots of whole cubes are whole.
LOD_VOXEL_DECIMALS = 9


@dataclass(frozen=True)
class Plan:
    """What is read, what is built, how it is divided into jobs, and where it goes.

    source: s0 as the user's volume has it. begin, end: the part of s0 that is meshed, in voxels.
    levels: finest first; LOD k is the meshes of level k. pyramid_path: the group that the missing
    levels are written to. chunks: voxels of a chunk of these levels. cell_voxels: for each LOD the
    voxels of its level in a cell. n_cells: for each LOD the number of its cells on each axis.
    block_cells, tile_cells: for each LOD the cells of a block and of a tile.
    dtype: of the levels. table: the table of bodies; None if labels are meshed as they are.
    is_sparse: whether blocks are larger because there is little in them (`survey.density`).
    sample: what was counted in a part of s0 (`survey.sample`); None if nothing could be counted.
    Only what jobs ask for and printed estimates depend on it.
    """

    settings: Settings
    source: SourceLevel
    begin: Shape
    end: Shape
    levels: tuple[Level, ...]
    pyramid_path: str
    stages: tuple[Stage, ...]
    chunks: Shape
    cell_voxels: tuple[Shape, ...]
    n_cells: tuple[Shape, ...]
    block_cells: tuple[Shape, ...]
    tile_cells: tuple[Shape, ...]
    grid: OctreeGrid
    sharding: Sharding
    dtype: str
    table: TableFacts | None
    is_sparse: bool
    sample: Sample | None = None

    @property
    def num_lods(self) -> int:
        """The number of LODs."""
        return len(self.levels)

    @property
    def voxels(self) -> int:
        """The number of voxels of s0 that are meshed."""
        return math.prod(self.levels[0].shape)

    def is_of_fragments(self, lod: int) -> bool:
        """Whether an LOD is made of the fragments of the LOD below it, and not of its level."""
        strategy = self.settings.multires_strategy
        if lod == 0 or strategy == "downsample":
            return False
        step = self.levels[lod].relative_to(self.levels[lod - 1])
        return strategy == "decimate" or step == (2, 2, 2)

    @property
    def needed_stages(self) -> tuple[Stage, ...]:
        """The stages that build a level that is meshed or kept; `pyramid` runs the others too."""
        if not self.settings.delete_intermediate_scales:
            return self.stages
        meshed = [k for k in range(self.num_lods) if not self.is_of_fragments(k)]
        last = max((k for k in meshed if self.levels[k].is_built), default=0)
        return tuple(stage for stage in self.stages if stage.targets[0] <= last)

    @property
    def needed_levels(self) -> tuple[int, ...]:
        """The levels that a run reads or builds."""
        built = {k for stage in self.needed_stages for k in stage.targets}
        return tuple(k for k in range(self.num_lods) if k in built or not self.is_of_fragments(k))

    def blocks(self, lod: int) -> Shape:
        """The number of blocks of an LOD on each axis."""
        return ceil_div(self.n_cells[lod], self.block_cells[lod])

    @property
    def blocks_per_bundle(self) -> int:
        """How many blocks a bundle holds; 1 if there are no bundles."""
        n_blocks = sum(math.prod(self.blocks(lod)) for lod in range(self.num_lods))
        return blocks_per_bundle(n_blocks, self.sharding.num_shards)

    def bundles(self, lod: int) -> int:
        """The number of bundles of an LOD, 0 if shards read the containers of the blocks."""
        size = self.blocks_per_bundle
        return 0 if size == 1 else math.ceil(math.prod(self.blocks(lod)) / size)

    @property
    def voxels_from_zero(self) -> float:
        """How far the farthest corner of what is meshed lies from 0 on an axis, in voxels of s0."""
        begin = np.array(self.grid.origin_nm[::-1]) / self.source.voxel_size
        return float(np.abs([begin, begin + self.levels[0].shape]).max())

    @property
    def many_jobs(self) -> dict[str, int]:
        """By rule, the number of jobs of a run from scratch, for the rules that can have many."""
        together, lods = len(blocks_together(self)), range(self.num_lods)
        return {
            "pyramid_super_chunk": sum(math.prod(stage.grid) for stage in self.needed_stages),
            "mesh_block": sum(math.prod(self.blocks(lod)) for lod in lods) - together,
            "mesh_small_lods": min(together, 1),
            "mesh_bundle": sum(map(self.bundles, lods)),
            "measure_block": math.prod(self.blocks(0)) * bool(of_voxels(self.settings.measures)),
            "shard": self.sharding.num_shards,
        }

    @property
    def num_jobs(self) -> int:
        """The number of `many_jobs` together, which `max_jobs` limits."""
        return sum(self.many_jobs.values())


def make_plan(
    settings: Settings,
    source_levels: tuple[SourceLevel, ...],
    table: TableFacts | None = None,
    is_sparse: bool = False,
    mismatches: Mapping[str, str] = NO_MISMATCHES,
) -> Plan:
    """The plan for a volume. Its jobs grow until there are at most `max_jobs` besides bundles.

    Shard jobs do not grow, and each stage and each LOD has at least one job. So there are more jobs
    than `max_jobs` if these alone are more.

    source_levels: what the source holds, finest first. table: that of the bodies. is_sparse: as in
    Plan. mismatches: by path of a level of the source, why its voxels cannot be used. Raises
    UserError if the roi leaves nothing to mesh or too much.
    """
    source = source_levels[0]
    placed = (settings.roi, source.shape, source.voxel_size, source.translation)
    mode = settings.pyramid_alignment_mode
    num_lods = settings.num_lods or chosen_num_lods(*placed, mode)
    factors = level_factors(source.voxel_size, num_lods)
    begin, end = aligned_roi(*placed, factors[-1], mode)
    pyramid_path = str(Path(settings.output_directory).resolve() / PYRAMID)
    is_one_body = settings.downsample_method == "binary"
    # the source's own levels hold votes of its labels, not of the bodies
    use_existing = bool(settings.use_existing_scales) and table is None and not is_one_body
    values = LabelValues(tuple(sorted({0, *(settings.background or ())})), is_one_body)
    levels = plan_levels(
        source_levels, factors, begin, end, pyramid_path, use_existing, values, mismatches
    )
    _refuse_too_large(levels[0].shape, settings.cell_size)
    cell_voxels = tuple(
        triple(settings.cell_size * 2**k // f for f in level.factor)
        for k, level in enumerate(levels)
    )
    plan = Plan(
        settings=settings,
        source=source,
        begin=begin,
        end=end,
        levels=levels,
        pyramid_path=pyramid_path,
        stages=(),
        chunks=built_chunks(source.chunks),
        cell_voxels=cell_voxels,
        n_cells=tuple(map(ceil_div, [level.shape for level in levels], cell_voxels)),
        block_cells=(),
        tile_cells=(),
        grid=_octree_grid(source, begin, levels, settings.cell_size),
        sharding=_sharding(math.prod(e - b for b, e in zip(begin, end, strict=True))),
        dtype=_dtype(source.dtype, table),
        table=table,
        is_sparse=is_sparse,
    )
    growth = 0
    while not _has_few_jobs(divided := _divided(plan, growth)):
        growth += 1
    return divided


def _refuse_too_large(shape: Shape, cell_size: int) -> None:
    """Raise UserError for more than the octree has cells for, or the shards have labels for.

    shape: voxels of s0 that are meshed. cell_size: voxels of a cell of LOD 0 on each axis.
    """
    if max(shape) > MAX_CELLS * cell_size:
        raise UserError(
            f"config key cell_size: found {cell_size}, which cuts {shape} voxels into more than "
            f"{MAX_CELLS:,} cells on an axis; choose a larger one, or a smaller roi"
        )
    if math.prod(shape) > MAX_VOXELS:
        raise UserError(
            f"config key roi: the region to mesh has {shape} voxels, expected at most "
            f"{MAX_VOXELS:.2g} in all; choose a smaller roi"
        )


def _divided(plan: Plan, growth: int) -> Plan:
    """The plan with its stages, blocks and tiles, where these are doubled `growth` times.

    Super-chunks are doubled along z first, then y, then x. Blocks of sparse volumes are larger;
    tiles are as in dense volumes.
    """
    super_chunk = triple(2 ** ((growth + 2 - axis) // 3) for axis in range(3))
    shapes = [level.shape for level in plan.levels]
    lods = list(zip(plan.n_cells, plan.cell_voxels, shapes, strict=True))
    dense_blocks = [block_cells(*lod, growth) for lod in lods]
    larger = SPARSE_GROWTH if plan.is_sparse else 0
    return replace(
        plan,
        stages=stages_of(plan.levels, plan.chunks, super_chunk),
        block_cells=tuple(block_cells(*lod, growth + larger) for lod in lods),
        tile_cells=tuple(map(tile_cells, dense_blocks, plan.cell_voxels, shapes)),
    )


def _has_few_jobs(plan: Plan) -> bool:
    """Whether there are at most `max_jobs` jobs besides bundles, or as few as there can be."""
    least = len(plan.needed_stages) + plan.num_lods + plan.sharding.num_shards
    least += bool(of_voxels(plan.settings.measures))
    n_bundles = sum(map(plan.bundles, range(plan.num_lods)))
    return plan.num_jobs <= least or plan.num_jobs - n_bundles <= plan.settings.max_jobs


def _octree_grid(
    source: SourceLevel, begin: Shape, levels: tuple[Level, ...], cell_size: int
) -> OctreeGrid:
    """Where the octree lies. begin: first voxel of the region to mesh, in the source, z y x."""
    corner = np.array(source.translation) + (np.array(begin) - 0.5) * source.voxel_size
    origin_nm = triple(corner[::-1].tolist())
    cell_nm = cell_size * np.array(source.voxel_size)
    lod_voxels = (round(math.prod(level.factor) ** (1 / 3), LOD_VOXEL_DECIMALS) for level in levels)
    return OctreeGrid(
        origin_nm=origin_nm,
        cell_nm=triple(cell_nm[::-1].tolist()),
        lod_voxels=tuple(lod_voxels),
        scale_nm=float(np.prod(source.voxel_size)) ** (1 / 3),
        base_nm=base_of(origin_nm, triple(source.voxel_size[::-1])),
    )


def _dtype(source: str, table: TableFacts | None) -> str:
    """The type of the levels: that of the source, or the smallest that all bodies fit as well."""
    largest = 0 if table is None else table.largest
    return next(d for d in (source, "uint32", "uint64") if largest <= np.iinfo(d).max)


def _sharding(n_voxels: int) -> Sharding:
    """How many shards and minishards there are for a part of s0 with this many voxels."""
    shard_bits = min(max(math.ceil(math.log2(n_voxels / VOXELS_PER_SHARD)), 0), MAX_SHARD_BITS)
    labels = n_voxels / VOXELS_PER_LABEL / (1 << shard_bits)
    minishard_bits = max(math.ceil(math.log2(max(labels / LABELS_PER_MINISHARD, 1))), 0)
    return Sharding(shard_bits=shard_bits, minishard_bits=minishard_bits)
