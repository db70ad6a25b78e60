"""The plan of a run: everything that is decided once, from the configuration and metadata alone.

Voxel geometry is z y x; the octree and its cells are x y z, as Neuroglancer reads them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemesh.boxes import Shape, ceil_div, triple
from snakemesh.job_records import MAX_STAGE_FACTOR, OctreeGrid, Sharding
from snakemesh.output.folder import PYRAMID
from snakemesh.plan.levels import Level, plan_levels
from snakemesh.plan.placement import aligned_roi, level_factors
from snakemesh.plan.settings import Settings
from snakemesh.plan.source import SourceLevel

# A tile is what is meshed at once. Of dense uint32 labels 512^3 voxels take 3.9 GB, half of it 2.
TILE_VOXELS = 512 * 512 * 256
# A shard of dense tissue is then some gigabytes; a minishard's index is fetched as a whole.
VOXELS_PER_SHARD = 1 << 32
VOXELS_PER_LABEL = 50_000
LABELS_PER_MINISHARD = 1000
MAX_SHARD_BITS = 10


@dataclass(frozen=True)
class Stage:
    """Levels that are built in one pass over another one.

    base: number of the level that is read. targets: numbers of the levels that it covers, existing
    ones among them. steps: per target its factor over the one before. super_chunk: voxels of the
    base that one job reads. grid: number of super-chunks along each axis.
    """

    base: int
    targets: tuple[int, ...]
    steps: tuple[Shape, ...]
    super_chunk: Shape
    grid: Shape


@dataclass(frozen=True)
class Plan:
    """What is read, what is built, how it is divided, and where it goes.

    begin, end: the part of s0 that is meshed, in its voxels. pyramid_path: the group the levels
    that are built are written to; chunks: their chunk shape. cell_voxels: per LOD, voxels of its
    level in a cell. n_cells: per LOD, cells that hold data. block_cells: cells of its LOD that one
    mesh_block job meshes; tile_cells: per LOD, how many of them at once.
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
    block_cells: Shape
    tile_cells: tuple[Shape, ...]
    grid: OctreeGrid
    lod_scale_multiplier: float
    sharding: Sharding

    @property
    def num_lods(self) -> int:
        """Number of levels of detail."""
        return len(self.levels)

    def blocks(self, lod: int) -> Shape:
        """Number of mesh_block jobs of an LOD along each axis, z y x."""
        return ceil_div(self.n_cells[lod], self.block_cells)

    @property
    def num_jobs(self) -> int:
        """Jobs of the whole run, without the handful there is one of."""
        pyramid = sum(math.prod(stage.grid) for stage in self.stages)
        return (
            pyramid
            + sum(math.prod(self.blocks(k)) for k in range(self.num_lods))
            + self.sharding.num_shards
        )


def make_plan(settings: Settings, source_levels: tuple[SourceLevel, ...]) -> Plan:
    """The plan for a volume, its jobs grown until there are at most `max_jobs` of them.

    source_levels: what the source holds, finest first. Raises UserError for what cannot be done.
    """
    source = source_levels[0]
    factors = level_factors(source.voxel_size, settings.num_lods)
    begin, end = aligned_roi(
        settings.roi,
        source.shape,
        source.voxel_size,
        source.translation,
        factors[-1],
        settings.pyramid_alignment_mode,
    )
    pyramid_path = str(Path(settings.output_directory).resolve() / PYRAMID)
    levels = plan_levels(
        source_levels, factors, begin, end, pyramid_path, settings.use_existing_scales
    )
    growth = 0
    while True:
        plan = _divided(settings, source, begin, end, levels, pyramid_path, growth)
        # when every level is one piece there is nothing left to join
        at_limit = plan.num_jobs == len(plan.stages) + plan.num_lods + plan.sharding.num_shards
        if plan.num_jobs <= settings.max_jobs or at_limit:
            return plan
        growth += 1


def _divided(
    settings: Settings,
    source: SourceLevel,
    begin: Shape,
    end: Shape,
    levels: tuple[Level, ...],
    pyramid_path: str,
    growth: int,
) -> Plan:
    """The plan with super-chunks and blocks doubled `growth` times, along z, y and x in turn."""
    grown = tuple(2 ** ((growth + 2 - axis) // 3) for axis in range(3))
    cell_voxels = tuple(
        tuple(settings.cell_size * 2**k // f for f in level.factor)
        for k, level in enumerate(levels)
    )
    scales = (round(math.prod(level.factor) ** (1 / 3), 9) for level in levels)
    corner = np.array(source.translation) + (np.array(begin) - 0.5) * source.voxel_size
    cell_nm = settings.cell_size * np.array(source.voxel_size)
    n_voxels = math.prod(e - b for b, e in zip(begin, end, strict=True))
    return Plan(
        settings=settings,
        source=source,
        begin=begin,
        end=end,
        levels=levels,
        pyramid_path=pyramid_path,
        stages=_stages(levels, built_chunks(source.chunks), grown),
        chunks=built_chunks(source.chunks),
        cell_voxels=cell_voxels,
        n_cells=tuple(
            ceil_div(level.shape, cell) for level, cell in zip(levels, cell_voxels, strict=True)
        ),
        block_cells=grown,
        tile_cells=tuple(_tile_cells(cell, grown) for cell in cell_voxels),
        grid=OctreeGrid(
            origin_nm=tuple(corner[::-1].tolist()),
            cell_nm=tuple(cell_nm[::-1].tolist()),
            lod_scales=tuple(scales),
        ),
        lod_scale_multiplier=float(np.prod(source.voxel_size)) ** (1 / 3),
        sharding=_sharding(n_voxels),
    )


def built_chunks(source_chunks: Shape) -> Shape:
    """Chunk shape of the levels that are built: the source's, clamped, a whole number of cubes."""
    clamped = (min(max(c, 32), 128) for c in source_chunks)
    return triple(c // MAX_STAGE_FACTOR * MAX_STAGE_FACTOR for c in clamped)


def _stages(levels: tuple[Level, ...], chunks: Shape, grown: Shape) -> tuple[Stage, ...]:
    """Levels grouped so that no stage looks at cubes wider than MAX_STAGE_FACTOR."""
    stages = []
    base = 0
    while base < len(levels) - 1:
        targets = [base + 1]
        while targets[-1] + 1 < len(levels):
            factor = levels[targets[-1] + 1].relative_to(levels[base])
            if max(factor) > MAX_STAGE_FACTOR:
                break
            targets.append(targets[-1] + 1)
        # nothing is read for levels that are all there already
        if any(levels[k].is_built for k in targets):
            last = levels[targets[-1]].relative_to(levels[base])
            super_chunk = triple(c * f * g for c, f, g in zip(chunks, last, grown, strict=True))
            stages.append(
                Stage(
                    base=base,
                    targets=tuple(targets),
                    steps=tuple(levels[k].relative_to(levels[k - 1]) for k in targets),
                    super_chunk=super_chunk,
                    grid=ceil_div(levels[base].shape, super_chunk),
                )
            )
        base = targets[-1]
    return tuple(stages)


def _tile_cells(cell_voxels: Shape, block_cells: Shape) -> Shape:
    """Cells of one tile: as much of a block as TILE_VOXELS allow, never less than one cell."""
    tile = [1, 1, 1]
    for axis in [0, 1, 2] * max(block_cells):
        voxels = math.prod(t * c for t, c in zip(tile, cell_voxels, strict=True))
        if 2 * voxels <= TILE_VOXELS and 2 * tile[axis] <= block_cells[axis]:
            tile[axis] *= 2
    return triple(tile)


def _sharding(n_voxels: int) -> Sharding:
    shard_bits = min(max(math.ceil(math.log2(n_voxels / VOXELS_PER_SHARD)), 0), MAX_SHARD_BITS)
    labels = n_voxels / VOXELS_PER_LABEL / (1 << shard_bits)
    minishard_bits = max(math.ceil(math.log2(max(labels / LABELS_PER_MINISHARD, 1))), 0)
    return Sharding(shard_bits=shard_bits, minishard_bits=minishard_bits)
