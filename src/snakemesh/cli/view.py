"""Look at an output: serve its meshes, its levels and Neuroglancer itself from this machine.

    snakemesh view
    snakemesh view /data/meshes --ids 17,4711,axon
    snakemesh view /data/meshes --all
    snakemesh view /data/meshes --where 'volume > 1e9'
    snakemesh view /data/meshes --color-by cell_type
    snakemesh view /data/meshes --url https://ADDRESS --volume https://ADDRESS
    snakemesh view /data/meshes --publish site

Nothing is fetched from the internet. Neither another site nor another user of this machine can read
what is served: the URL has a part that nobody can guess. It can be called while a run is going on:
what is finished is shown, and what is finished later after a reload. Nothing is written.

With --url, it serves nothing, and prints a link to share: to a copy of the meshes on a web server.
With --publish, it copies viewer, meshes and report into a folder for any web server or bucket.
"""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from snakemesh.view.limits import MOST_SELECTED


def counted(least: int, most: int) -> Callable[[str], int]:
    """What reads a number from `least` to `most`."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
            raise argparse.ArgumentTypeError(f"found {text!r}, expected {least} to {most}")
        return int(text)

    return number


def labels_and_names(text: str) -> list[int | str]:
    """The labels and names of --ids, such as "17,4711,left axon"."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 17,4711,axon")
    found = [int(part) if part.isascii() and part.isdigit() else part for part in parts]
    too_large = any(isinstance(one, int) and one >= 1 << 64 for one in found)
    if too_large or len(found) > MOST_SELECTED:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_SELECTED} labels of 64 bits")
    return found


def address(text: str) -> str:
    """An address of --url or --volume, without a slash at its end."""
    if not re.match("(https?|gs|s3)://.", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address with https://, gs:// or s3://"
        )
    return text.rstrip("/")


def add_which_segments(parser: argparse.ArgumentParser, most: int) -> None:
    """Add which segments of which output are shown. most: how many they can be."""
    parser.add_argument("directory", nargs="?", default="results/example", metavar="DIRECTORY")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--ids", type=labels_and_names, help="labels and names, such as 17,4711,axon"
    )
    which.add_argument("--where", help="by columns of segments.parquet: 'volume > 1e9'")
    which.add_argument("--all", action="store_true", help=f"all segments, at most {most:,}")
    parser.add_argument(
        "--color-by", metavar="COLUMN", help="colours by a column of segments.parquet"
    )


def add_what_is_shown(parser: argparse.ArgumentParser) -> None:
    """Add which segments of which output are shown, and where it is served."""
    add_which_segments(parser, MOST_SELECTED)
    parser.add_argument(
        "--port", type=counted(0, 65535), default=9000, help="0 takes any that is free"
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    add_what_is_shown(parser)
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="print the link only"
    )
    copies = parser.add_mutually_exclusive_group()
    copies.add_argument("--url", type=address, help="of a copy of DIRECTORY or of its multires/")
    copies.add_argument("--publish", type=Path, metavar="FOLDER", help="write a site into FOLDER")
    parser.add_argument("--volume", type=address, help="of a copy of the volume, with these two")


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    # here, because the other commands and shell completion need no numpy
    from snakemesh.view.look import look

    look(parser, options)
