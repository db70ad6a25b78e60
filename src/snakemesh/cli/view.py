"""Look at an output: serve its meshes, its levels and Neuroglancer itself from this machine.

    snakemesh view
    snakemesh view /data/meshes --ids 17,4711
    snakemesh view /data/meshes --where 'volume > 1e9'
    snakemesh view /data/meshes --url https://ADDRESS --volume https://ADDRESS

Nothing is fetched from the internet. Neither another site nor another user of this machine can read
what is served: the URL has a part that nobody can guess. It can be called while a run is going on:
what is finished is shown, and what is finished later after a reload. Nothing is written.

With --url, it serves nothing, and prints a link to share: to a copy of the meshes on a web server.
"""

import argparse
import re

from snakemesh.view.limits import MOST_SELECTED


def port_number(text: str) -> int:
    """A port of the command line; 0 takes any that is free."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port, expected a number from 0 to 65535"
        )
    return int(text)


def label_list(text: str) -> list[int]:
    """The labels of --ids, such as "17,4711"."""
    if not re.fullmatch(r"\s*[0-9]+(\s*,\s*[0-9]+)*\s*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of labels such as 17,4711")
    labels = [int(part) for part in text.split(",")]
    if max(labels) >= 1 << 64 or len(labels) > MOST_SELECTED:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_SELECTED} labels of 64 bits")
    return labels


def address(text: str) -> str:
    """An address of --url or --volume, without a slash at its end."""
    if not re.match("(https?|gs|s3)://.", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address with https://, gs:// or s3://"
        )
    return text.rstrip("/")


def add_what_is_shown(parser: argparse.ArgumentParser) -> None:
    """Add which segments of which output are shown, and where it is served."""
    parser.add_argument("directory", nargs="?", default="results/example", metavar="DIRECTORY")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ids", type=label_list, help="the labels to select, such as 17,4711")
    which.add_argument("--where", help="select by columns of segments.parquet: 'volume > 1e9'")
    parser.add_argument("--port", type=port_number, default=9000)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    add_what_is_shown(parser)
    parser.add_argument("--url", type=address, help="of a copy of DIRECTORY or of its multires/")
    parser.add_argument("--volume", type=address, help="of a copy of the volume, with --url")


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    # here, because the other commands and shell completion need no numpy
    from snakemesh.view.look import look

    look(parser, options)
