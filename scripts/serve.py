"""Serve an output directory to Neuroglancer from this machine, to look at a result.

    python scripts/serve.py [DIRECTORY] [--volume SEGMENTATION] [--port 9000] [--host 127.0.0.1]

The server only reads, and of DIRECTORY it shows what is to be seen: the meshes and the levels. It
answers Range requests. It allows every origin (CORS), so that a viewer loaded from any site can
read the files. `view.py` brings the viewer too.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.output.folder import MULTIRES, PYRAMID, SEGMENTS
from snakemesh.view.command_line import add_address, listening, refuse_no_directory, url_of
from snakemesh.view.segments import from_table
from snakemesh.view.server import located
from snakemesh.view.state import SHOWN_AT_FIRST, VOLUME, layer_state, meshes_at, viewer_link

SHOWN = (MULTIRES, PYRAMID)  # the folders of an output that are served


def largest_segments(directory: Path) -> list[int]:
    """The largest segments of an output, largest first; [] if its table is not there yet.

    If the table is broken, says so too.
    """
    table = directory / MULTIRES / SEGMENTS
    try:
        return from_table(table, SHOWN_AT_FIRST).labels if table.is_file() else []
    except UserError as error:
        print(f"{error}: no segment is selected in the link.", file=sys.stderr)
        return []


def main(arguments: list[str] | None = None) -> None:
    """Serve until Ctrl-C. `arguments` are those of the command line by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", default="results/example", metavar="DIRECTORY")
    parser.add_argument("--volume", help=f"a zarr group to serve beside it, under /{VOLUME}")
    add_address(parser)
    options = parser.parse_args(arguments)
    refuse_no_directory(parser, options.directory, options.volume)
    directory = Path(options.directory)
    mounts = {name: directory / name for name in SHOWN}
    if options.volume is not None:
        mounts[VOLUME] = Path(options.volume)
    if not (directory / MULTIRES / "info").is_file():
        print(f"There is no {MULTIRES}/info in {directory} yet.", file=sys.stderr)
    with listening(parser, options, partial(located, mounts), cors=True) as server:
        url = url_of(server, options.host)
        sources = [f"zarr://{url}/{VOLUME}"] if options.volume is not None else []
        sources.append(meshes_at(url))
        print("Sources for one segmentation layer in Neuroglancer:")
        print(*(f"  {source}" for source in sources), sep="\n")
        print(f"or open\n  {viewer_link(layer_state(sources, largest_segments(directory)))}")
        print("Stop with Ctrl-C.", flush=True)
        server.wait()


if __name__ == "__main__":
    main()
