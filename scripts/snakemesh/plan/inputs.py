"""What a run is given: the volume's levels and the files beside it, checked before any job runs."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from snakemesh.errors import UserError
from snakemesh.example.volume import (
    EXAMPLE_CHUNKS,
    EXAMPLE_DTYPE,
    EXAMPLE_SHAPE,
    EXAMPLE_TRANSLATION,
    EXAMPLE_VOXEL_SIZE,
)
from snakemesh.output.folder import LOCK, MULTIRES, OWN_FOLDERS, PYRAMID
from snakemesh.plan.settings import Settings
from snakemesh.plan.source import SourceLevel, is_local, read_source, with_voxel_size
from snakemesh.segment_table import read_segment_table

# Where config/config.yaml puts the example; a volume at this path is made by the first run.
EXAMPLE_PATH = "example/segmentation.zarr"


def source_levels(settings: Settings) -> tuple[SourceLevel, ...]:
    """The levels of the input volume, finest first, from its metadata or, for the example, without.

    Raises UserError for an input that cannot be meshed, an output that would touch it, a label that
    cannot be in it, or a CSV of segment properties that cannot be read.
    """
    if settings.segment_properties_csv is not None:
        read_segment_table(settings.segment_properties_csv)
    if settings.input_path == EXAMPLE_PATH and not Path(EXAMPLE_PATH).exists():
        level, voxel_size_nm = _example_level(), settings.voxel_size_nm
        if voxel_size_nm is not None:
            level = with_voxel_size(level, voxel_size_nm, settings.translation_nm)
        _refuse_foreign_output(Path(settings.output_directory))
        return (level,)
    levels = read_source(settings.input_path, settings.voxel_size_nm, settings.translation_nm)
    if settings.input_path == EXAMPLE_PATH:
        # planned alike before and after it is made
        levels = tuple(replace(level, document="", files=None) for level in levels)
    if is_local(levels[0]):
        _refuse_overlap(settings)
    _refuse_foreign_output(Path(settings.output_directory))
    _refuse_impossible_ids(settings, levels[0])
    return levels


def _example_level() -> SourceLevel:
    return SourceLevel(
        path=os.path.abspath(f"{EXAMPLE_PATH}/s0"),
        name=None,
        shape=EXAMPLE_SHAPE,
        chunks=EXAMPLE_CHUNKS,
        dtype=EXAMPLE_DTYPE,
        voxel_size=EXAMPLE_VOXEL_SIZE,
        translation=EXAMPLE_TRANSLATION,
        format="zarr2",
    )


def _refuse_overlap(settings: Settings) -> None:
    """The input is never written to: neither may the output lie in it, nor it in our folders."""
    source = Path(settings.input_path).resolve()
    # a link to the source in one of our folders would go with the folder
    as_given = Path(os.path.abspath(settings.input_path))
    output = Path(settings.output_directory).resolve()
    if output.is_relative_to(source):
        raise UserError(
            f"config key output_directory: {settings.output_directory} lies inside the input "
            f"{settings.input_path}, expected a folder outside it"
        )
    for folder in OWN_FOLDERS:
        if any(path.is_relative_to(output / folder) for path in (source, as_given)):
            raise UserError(
                f"config key output_directory: the input {settings.input_path} lies in "
                f"{settings.output_directory}/{folder}, which a run writes to; choose another"
            )


def _refuse_foreign_output(output: Path) -> None:
    """Folders that a run replaces or tidies up must be its own: every run leaves its lock."""
    for folder in (MULTIRES, PYRAMID):
        path = output / folder
        is_empty = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
        if os.path.lexists(path) and not is_empty and not (output / LOCK).exists():
            raise UserError(
                f"config key output_directory: {path} is there already and not from a run of "
                f"snakemesh, which leaves {output / LOCK}; choose another folder"
            )
    pyramid = output / PYRAMID
    # Snakemake removes what a job is to make, also behind a link
    if pyramid.is_symlink() or (pyramid.exists() and not pyramid.is_dir()):
        raise UserError(
            f"config key output_directory: {pyramid} is a link or a file, expected a folder or "
            "nothing; move it away, or choose another folder"
        )


def _refuse_impossible_ids(settings: Settings, level: SourceLevel) -> None:
    largest = int(np.iinfo(level.dtype).max)
    if settings.target_ids is not None and max(settings.target_ids) > largest:
        raise UserError(
            f"config key target_ids: found {max(settings.target_ids)}, the labels are "
            f"{level.dtype}, at most {largest}"
        )
