"""The input of a run, checked before any job starts: the source, the CSV and the output folder."""

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from snakemesh.config.settings import Settings
from snakemesh.errors import UserError
from snakemesh.example.volume import (
    EXAMPLE_CHUNKS,
    EXAMPLE_DTYPE,
    EXAMPLE_SHAPE,
    EXAMPLE_TRANSLATION,
    EXAMPLE_VOXEL_SIZE,
)
from snakemesh.output.folder import (
    CENTROIDS,
    LOCK,
    MULTIRES,
    OVERVIEW,
    OWN_FOLDERS,
    PROPERTIES,
    PYRAMID,
    RUN_DOCUMENT,
)
from snakemesh.source.level import SourceLevel
from snakemesh.source.read import is_local, read_source, with_voxel_size

# The path of the example in config/config.yaml. If this is the input, the first run makes it.
EXAMPLE_PATH = "example/segmentation.zarr"
# The output of the example there.
EXAMPLE_OUTPUT = "results/example"


def source_levels(settings: Settings) -> tuple[SourceLevel, ...]:
    """The levels of the source, finest first, from its metadata. No voxel is read.

    The example is planned before it is made; its level is then known without metadata.

    Raises UserError if the source cannot be meshed, if the output would touch it, belongs to
    another program or is that of the example.
    """
    _refuse_output_of_example(settings)
    if settings.input_path == EXAMPLE_PATH and not Path(EXAMPLE_PATH).exists():
        level, voxel_size_nm = _example_level(), settings.voxel_size_nm
        if voxel_size_nm is not None:
            level = with_voxel_size(level, voxel_size_nm, settings.translation_nm)
        levels: tuple[SourceLevel, ...] = (level,)
    else:
        levels = read_source(
            settings.input_path,
            settings.voxel_size_nm,
            settings.translation_nm,
            dict(settings.index or ()),
        )
        _refuse_negative_fill(levels[0], settings.background or ())
    if settings.input_path == EXAMPLE_PATH:
        # planned alike before and after it is made
        levels = tuple(
            replace(level, document="", files=None, stored=None, stored_type="", fill=0)
            for level in levels
        )
    try:
        _refuse_overlap(settings, is_local(levels[0]))
        _refuse_foreign_output(Path(settings.output_directory))
    except OSError as error:
        raise UserError(
            f"config key output_directory: {error.filename} cannot be accessed ({error.strerror})"
        ) from error
    return levels


def _refuse_negative_fill(source: SourceLevel, background: Collection[int]) -> None:
    """Raise UserError if missing chunks hold a negative value that does not mean background."""
    if source.fill < 0 and source.fill not in background:
        raise UserError(
            f"config key background: voxels of {source.path} that are not stored are {source.fill} "
            f"(fill_value), labels cannot be negative; if it means background, set the key to "
            f"[{source.fill}, 0]"
        )


def check_tables(settings: Settings) -> None:
    """Raise UserError if the table of segment properties, or a column of it, cannot be read.

    Jobs need not do this, nor import what reads tables.
    """
    path, column = settings.segment_properties_csv, settings.segment_colors
    if path is None and column is None:
        return
    from snakemesh.tables.measures import SUMMARY, WITH_NEIGHBOURS
    from snakemesh.tables.properties import NO_PROPERTIES, read_properties
    from snakemesh.tables.segments import MeasureColumns, segments_schema
    from snakemesh.tables.table import query_name

    table = NO_PROPERTIES if path is None else read_properties(path)
    dtype = WITH_NEIGHBOURS if settings.contacts else SUMMARY
    known = segments_schema(table, dtype, MeasureColumns(settings.measures)).names
    if column is not None and column not in known and query_name(column) not in known:
        raise UserError(
            f"config key segment_colors: found {column!r}, expected a column of segments.parquet: "
            f"{', '.join(known)}"
        )


def _example_level() -> SourceLevel:
    """What `read_source` finds once the example is made."""
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


def _refuse_output_of_example(settings: Settings) -> None:
    """Raise UserError if another input would be meshed into the output of the example.

    Somebody who sets only `input_path` gets the other key from config/config.yaml.
    """
    pairs = ((settings.output_directory, EXAMPLE_OUTPUT), (settings.input_path, EXAMPLE_PATH))
    is_output, is_input = (os.path.realpath(a) == os.path.realpath(b) for a, b in pairs)
    if is_output and not is_input:
        raise UserError(
            f"config key output_directory: found {settings.output_directory}, the output of the "
            f"example, for the input {settings.input_path}; set the key to a folder for its meshes"
        )


def _refuse_overlap(settings: Settings, is_local_source: bool) -> None:
    """Raise UserError if the output lies in the input, or an input in a folder that a run fills.

    A run must never write to its inputs, nor remove them.
    """
    output = Path(settings.output_directory).resolve()
    inputs = [settings.input_path] if is_local_source else []
    if is_local_source and output.is_relative_to(Path(settings.input_path).resolve()):
        raise UserError(
            f"config key output_directory: {settings.output_directory} lies inside the input "
            f"{settings.input_path}, expected a folder outside it"
        )
    tables = (
        settings.segment_properties_csv,
        settings.label_map,
        settings.target_ids,
        settings.exclude_ids,
    )
    inputs += [table for table in tables if isinstance(table, str)]
    for given in inputs:
        # the path as given may be a link in one of these folders, which a run may remove
        paths = (Path(given).resolve(), Path(os.path.abspath(given)))
        for folder in OWN_FOLDERS:
            if any(path.is_relative_to(output / folder) for path in paths):
                raise UserError(
                    f"config key output_directory: the input {given} lies in "
                    f"{settings.output_directory}/{folder}, which a run writes to; choose another"
                )


def _refuse_foreign_output(output: Path) -> None:
    """Raise UserError if the output has files of another program that a run would remove.

    Every run of snakemesh leaves its lock file, and a document beside `work/` and one beside the
    meshes: these stay where somebody has removed `work/`.
    """
    ours = (LOCK, RUN_DOCUMENT, f"{MULTIRES}/{RUN_DOCUMENT}")
    is_ours = any((output / name).is_file() for name in ours)
    for folder in (MULTIRES, PYRAMID):
        path = output / folder
        is_empty = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
        if os.path.lexists(path) and not is_empty and not is_ours:
            raise UserError(
                f"config key output_directory: {path} exists and was not made by snakemesh, "
                f"which writes {output / RUN_DOCUMENT}; choose another folder"
            )
    served = [f"{MULTIRES}/{name}" for name in (OVERVIEW, CENTROIDS, PROPERTIES)]
    not_links = {output / name for name in (PYRAMID, *served)}
    for path in (output / name for name in (*OWN_FOLDERS, *served)):
        # Snakemake removes the outputs of a job before it starts, even behind a link
        is_link = path.is_symlink() and (path in not_links or not path.exists())
        if is_link or (path.exists() and not path.is_dir()):
            raise UserError(
                f"config key output_directory: {path} is a link or a file, expected a folder or "
                "nothing; move it away, or choose another folder"
            )
