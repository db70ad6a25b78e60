"""Take meshes to another program: each label as one closed mesh, or all in one scene.

    snakemesh export /data/meshes --ids 17,4711 --format stl --output meshes
    snakemesh export https://ADDRESS/multires --ids all --lod 2 --unit um --scene all.glb
    snakemesh export /data/meshes --where 'volume > 1e9' --scene large.vtp
    snakemesh export /data/meshes --ids all --color-by cell_type --scene types.glb

OUTPUT is an output directory, its multires folder, or a URL of one of them: http(s), s3 or gs.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from snakemesh.errors import UserError
from snakemesh.meshes.formats import COLOURED, FORMATS, UNITS_NM, WEBKNOSSOS
from snakemesh.units import rounded

if TYPE_CHECKING:
    from snakemesh.meshes.mesh_folder import MeshFolder
    from snakemesh.tables.column_colours import ColumnColours
    from snakemesh.view.output import Output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    add = parser.add_argument
    add("source", metavar="OUTPUT", help="an output directory or its multires folder, or a URL")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ids", help="17,4711, or all, or a CSV or Parquet file that lists ids")
    which.add_argument("--where", help="ids by columns of segments.parquet: 'volume > 1e9'")
    add("--lod", type=int, default=0, help="level of detail; 0, the finest, by default")
    add("--format", choices=(*FORMATS, WEBKNOSSOS), help="ply by default")
    add("--unit", choices=UNITS_NM, default="nm", help="of positions; nm by default")
    add("--color-by", metavar="COLUMN", help="colours by a column of segments.parquet")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--output", default="meshes", metavar="DIR", help="meshes/ by default")
    place.add_argument("--scene", type=Path, metavar="FILE", help="one file of all, e.g. all.glb")
    add("--overwrite", action="store_true", help="replace files that exist")


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Export meshes, and say how many."""
    # here, because the other commands and shell completion need no numpy
    from snakemesh.meshes.export import export, said
    from snakemesh.meshes.mesh_folder import open_meshes

    try:
        if options.lod < 0:
            raise UserError(f"--lod: found {options.lod}, expected 0 or more")
        folder = open_meshes(options.source)
        output = _output_of(folder, options)
        if options.format == WEBKNOSSOS:
            line = _for_webknossos(folder, options)
        else:
            colours = _colours(folder, options)
            tally = export(folder, options, *([] if colours is None else [colours.of]))
            line = said(tally, options) + ("" if colours is None else f"\n{colours.legend}")
        if output is not None:
            output.refuse_changed()
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        place = options.output if options.scene is None else options.scene
        sys.exit(f"{error.filename or place} cannot be written: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("stopped; all files are complete")
    print(line)


def _output_of(folder: "MeshFolder", options: argparse.Namespace) -> "Output | None":
    """The output directory that the meshes are in; None if they are elsewhere.

    Raises UserError for meshes that are not finished, or whose documents or tables are damaged, and
    for a place among the meshes. A URL and a copy of the meshes alone are taken as they are.
    """
    from snakemesh.output.folder import LOCK, MULTIRES, RUN_DOCUMENT, SEGMENTS
    from snakemesh.view.output import read_output

    multires = Path(folder.where).absolute()
    into = Path(options.output) if options.scene is None else options.scene.parent
    if multires.is_dir() and into.resolve().is_relative_to(multires.resolve()):
        raise UserError(f"{into} is among the meshes of {multires}, expected a folder elsewhere")
    if multires.name != MULTIRES or not (multires.parent / LOCK).is_file():
        return None
    output = read_output(multires.parent)
    if not output.meshes_are_finished():
        raise UserError(f"the meshes of {output.root} are not finished; run the workflow first")
    output.refuse_damage("info", SEGMENTS, RUN_DOCUMENT)
    return output


def _colours(folder: "MeshFolder", options: argparse.Namespace) -> "ColumnColours | None":
    """The colours of --color-by, or else of the `segment_colors` that the meshes were made with.

    None where neither is set. Raises UserError for a column that cannot be had.
    """
    from snakemesh.meshes.export import chosen_format
    from snakemesh.output.folder import RUN_DOCUMENT, SEGMENTS
    from snakemesh.view.output import colour_column

    form, multires = chosen_format(options.format, options.scene), Path(folder.where)
    if options.color_by is not None and form not in COLOURED:
        raise UserError(f"--color-by: a .{form} has no colours, expected {', '.join(COLOURED)}")
    table = multires / SEGMENTS
    if options.color_by is not None and not table.is_file():
        raise UserError(f"--color-by needs {table} on this machine, which a run writes at its end")
    column = options.color_by or colour_column(multires / RUN_DOCUMENT)
    if column is None or form not in COLOURED or not table.is_file():
        return None
    from snakemesh.tables.column_colours import column_colours

    return column_colours(table, column)


def _for_webknossos(folder: "MeshFolder", options: argparse.Namespace) -> str:
    """Copy the shards, and say so. Raises UserError for options that mean files of labels."""
    from snakemesh.meshes.webknossos import copy_for_webknossos

    given = {"--scene": options.scene, "--where": options.where, "--lod": options.lod or None}
    given["--color-by"] = options.color_by
    if named := [name for name, value in given.items() if value is not None]:
        raise UserError(f"{named[0]}: --format {WEBKNOSSOS} copies the shards of --ids all")
    if options.ids != "all":
        raise UserError(f"--ids: found {options.ids}, expected all with --format {WEBKNOSSOS}")
    count, moved = copy_for_webknossos(folder, Path(options.output), options.overwrite)
    line = f"{count:,} meshes for WEBKNOSSOS in {options.output}/"
    if moved.any():
        line += f", which draws their corner at 0: moved by {' '.join(map(str, rounded(moved)))} nm"
    return line
