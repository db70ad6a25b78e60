"""Take meshes to another program: each label as one closed mesh, or all in one scene.

    snakemesh export /data/meshes --ids 17,4711 --format stl --output meshes
    snakemesh export https://ADDRESS/multires --ids all --lod 2 --unit um --scene all.glb

OUTPUT is an output directory, its multires folder, or a URL of one of them: http(s), s3 or gs.
"""

import argparse
import sys
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.meshes.formats import FORMATS, UNITS_NM


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    add = parser.add_argument
    add("source", metavar="OUTPUT", help="an output directory or its multires folder, or a URL")
    add("--ids", required=True, help="17,4711, or all, or a CSV or Parquet file that lists ids")
    add("--lod", type=int, default=0, help="level of detail; 0, the finest, by default")
    add("--format", choices=FORMATS, help="ply by default")
    add("--unit", choices=UNITS_NM, default="nm", help="nm by default")
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
        tally = export(open_meshes(options.source), options)
    except UserError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename} cannot be written: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit("stopped; all files are complete")
    print(said(tally, options))
