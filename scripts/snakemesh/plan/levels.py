"""The levels of a run: which of them the source has, and which are built. All triples are z, y, x.

`placement` has their factors.
"""

from dataclasses import dataclass

import numpy as np
import worldarray as wa

from snakemesh.boxes import Nanometres, Shape, ceil_div, triple
from snakemesh.chunk_files import ChunkFiles
from snakemesh.errors import UserError
from snakemesh.plan.source import SourceLevel

# A level of the source has a factor if its voxel size differs from the exact one by at most this
# fraction.
FACTOR_TOLERANCE = 1e-4
# A level of the source lies where its factor puts it if it is off by at most this many of its
# voxels.
PLACEMENT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Level:
    """One level, or rather the part of it that is meshed.

    factor: over s0. shape: its voxels in that part. voxel_size, translation: nm, of its voxel 0.
    path, name: the array that holds it. origin: the voxel of the array where the part begins.
    is_built: whether it is made by this run. document, files: of the source's array otherwise.
    """

    factor: Shape
    shape: Shape
    voxel_size: Nanometres
    translation: Nanometres
    path: str
    name: str | None
    origin: Shape
    is_built: bool
    document: str | None
    files: ChunkFiles | None

    def relative_to(self, finer: "Level") -> Shape:
        """Per-axis factor over a finer level."""
        return triple(a // b for a, b in zip(self.factor, finer.factor, strict=True))


def plan_levels(
    source_levels: tuple[SourceLevel, ...],
    factors: tuple[Shape, ...],
    begin: Shape,
    end: Shape,
    pyramid_path: str,
    use_existing: bool,
) -> tuple[Level, ...]:
    """The levels of a run, finest first.

    A level is read from the source if the source has it and `use_existing` is set; s0 always is.
    The others are built, as the arrays s1, s2, ... of the group `pyramid_path`, which hold only the
    part that is meshed.

    source_levels: finest first. factors: of each level over s0. begin, end: the part of s0 that is
    meshed, in voxels; `begin` is a multiple of every factor. Raises UserError if the shape or the
    placement of a source level contradicts its factor.
    """
    source = source_levels[0]
    extent = triple(e - b for b, e in zip(begin, end, strict=True))
    levels = []
    for k, factor in enumerate(factors):
        voxel_size, translation = wa.level_placement(
            source.voxel_size, source.translation, factor, begin
        )
        found = source if k == 0 else None
        if k > 0 and use_existing:
            found = _existing(source_levels, factor)
        levels.append(
            Level(
                factor=factor,
                shape=ceil_div(extent, factor),
                voxel_size=voxel_size,
                translation=translation,
                path=found.path if found else f"{pyramid_path}/s{k}",
                name=found.name if found else None,
                origin=triple(b // f for b, f in zip(begin, factor, strict=True))
                if found
                else (0, 0, 0),
                is_built=found is None,
                document=found.document if found else None,
                files=found.files if found else None,
            )
        )
    return tuple(levels)


def _existing(source_levels: tuple[SourceLevel, ...], factor: Shape) -> SourceLevel | None:
    """The source's own level of this factor, or None. Raises UserError like `plan_levels`."""
    source = source_levels[0]
    for level in source_levels[1:]:
        ratio = np.array(level.voxel_size) / source.voxel_size
        if not np.allclose(ratio, factor, rtol=FACTOR_TOLERANCE):
            continue
        _, centre = wa.level_placement(source.voxel_size, source.translation, factor)
        off = np.abs(np.array(level.translation) - centre) / level.voxel_size
        wanted = ceil_div(source.shape, factor)
        if level.shape != wanted or np.any(off > PLACEMENT_TOLERANCE):
            raise UserError(
                f"config key input_path: {level.path} has voxels {factor} times those of "
                f"{source.path}, but shape {level.shape} at {_nm(level.translation)} nm, expected "
                f"{wanted} at {_nm(centre)} nm; set use_existing_scales: false to ignore it"
            )
        return level
    return None


def _nm(position: Nanometres) -> list[float]:
    return [round(p, 3) for p in position]
