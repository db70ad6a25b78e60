"""The levels of a run: which of them the source has, and which are built. All triples are z, y, x.

`placement` has their factors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import worldarray as wa

from snakemesh.boxes import Nanometres, Shape, ceil_div, triple
from snakemesh.chunk_files import ChunkFiles
from snakemesh.job_records import LevelPart
from snakemesh.label_values import LABELS, LabelValues
from snakemesh.source.level import SourceLevel
from snakemesh.stored_array import StoredArray
from snakemesh.units import rounded

# A level of the source has a factor if its voxel size differs from the exact one by at most this
# fraction. Up to the second fraction, the plan says that it does not have it.
FACTOR_TOLERANCE = 1e-4
NEAR = 0.1
# A level of the source lies where its factor puts it if it is off by at most this many of its
# voxels.
PLACEMENT_TOLERANCE = 0.01
NO_MISMATCHES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Level:
    """One level, or rather the part of it that is meshed.

    factor: over s0. shape: its voxels in that part. voxel_size, translation: nm, of its voxel 0.
    path, name: the array that holds it. origin: the voxel of the array where the part begins.
    is_built: whether this run makes it. document, files, stored, values: of the source's array, if
    the run does not. why_built: why a level that the source has is built anew, in words.
    """

    factor: Shape
    shape: Shape
    voxel_size: Nanometres
    translation: Nanometres
    path: str
    name: str | None = None
    origin: Shape = (0, 0, 0)
    is_built: bool = True
    document: str | None = None
    files: ChunkFiles | None = None
    stored: StoredArray | None = None
    values: LabelValues = LABELS
    why_built: str = ""

    @property
    def part(self) -> LevelPart:
        """What jobs know of it."""
        array = (self.path, self.name, self.origin, self.shape)
        return LevelPart(*array, self.is_built, self.stored, self.values)

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
    values: LabelValues = LABELS,
    mismatches: Mapping[str, str] = NO_MISMATCHES,
) -> tuple[Level, ...]:
    """The levels of a run, finest first.

    A level is read from the source if the source has it, it lies where its factor puts it, and
    `use_existing` is set; s0 always is. The others are built, as the arrays s1, s2, ... of the
    group `pyramid_path`, which hold only the part that is meshed.

    source_levels: finest first. factors: of each level over s0. begin, end: the part of s0 that is
    meshed, in voxels; `begin` is a multiple of every factor. values: what the values of the
    source's arrays mean. mismatches: by path of a level of the source, why its voxels cannot be
    used.
    """
    source = source_levels[0]
    extent = triple(e - b for b, e in zip(begin, end, strict=True))
    levels = []
    for k, factor in enumerate(factors):
        voxel_size, translation = wa.level_placement(
            source.voxel_size, source.translation, factor, begin
        )
        found, why_built = (source, "") if k == 0 else (None, "")
        if k > 0 and use_existing:
            found, why_built = _existing(source_levels, factor, mismatches)
        shape, path = ceil_div(extent, factor), f"{pyramid_path}/s{k}"
        level = Level(factor, shape, voxel_size, translation, path, why_built=why_built)
        if found is not None:
            level = replace(
                level,
                path=found.path,
                name=found.name,
                origin=triple(b // f for b, f in zip(begin, factor, strict=True)),
                is_built=False,
                document=found.document,
                files=found.files,
                stored=found.stored,
                values=values,
            )
        levels.append(level)
    return tuple(levels)


def _existing(
    source_levels: tuple[SourceLevel, ...], factor: Shape, mismatches: Mapping[str, str]
) -> tuple[SourceLevel | None, str]:
    """The source's own level of this factor, if it can be used, or else why it cannot."""
    source, why = source_levels[0], ""
    for level in source_levels[1:]:
        ratio = np.array(level.voxel_size) / source.voxel_size
        if not np.allclose(ratio, factor, rtol=NEAR):
            continue
        why = level.unusable or _why_not(source, level, factor) or mismatches.get(level.path, "")
        if not why:
            return level, ""
        why = f"{level.path} is not used: {why}"
    return None, why


def _why_not(source: SourceLevel, level: SourceLevel, factor: Shape) -> str:
    """Why a level of the source is not the one of this factor, in words; "" if it is."""
    ratio = np.array(level.voxel_size) / source.voxel_size
    wanted = ceil_div(source.shape, factor)
    _, centre = wa.level_placement(source.voxel_size, source.translation, factor)
    off = np.abs(np.array(level.translation) - centre) / level.voxel_size
    if level.shape != wanted:
        return f"it has {level.shape} voxels, expected {wanted}"
    if not np.allclose(ratio, factor, rtol=FACTOR_TOLERANCE):
        return f"its voxels are {rounded(ratio)} times those of s0, expected {factor}"
    if np.any(off > PLACEMENT_TOLERANCE):
        if np.allclose(level.translation, source.translation):
            return "its metadata have no translation of its own, so its position is unknown"
        return f"it lies at {rounded(level.translation)} nm, expected {rounded(centre)} nm"
    is_narrow = np.iinfo(level.dtype).max < np.iinfo(source.dtype).max
    if is_narrow or (_is_float(level) and not _is_float(source)):
        types = (found.stored_type or found.dtype for found in (level, source))
        return "it holds {}, s0 holds {}".format(*types)
    return ""


def _is_float(level: SourceLevel) -> bool:
    return level.stored_type.startswith("float")
