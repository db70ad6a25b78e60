"""Draw segments into a picture with a scale bar, or a turntable. It needs no display and no GPU.

    snakemesh shot /data/meshes --output figure.png
    snakemesh shot /data/meshes --output figure.png --ids 17,4711 --background transparent
    snakemesh shot /data/meshes --output figure.png --where 'volume > 1e9' --size 3000x2000
    snakemesh shot /data/meshes --output turning.gif --turntable 72 --view 0,15

The segments have the colours that they have in Neuroglancer, or those of --color-by. The picture
has no perspective, so the bar holds everywhere in it. A picture of the same name that this command
has drawn is replaced, any other file is not.
"""

import argparse
import re
import sys
from pathlib import Path

from snakemesh.cli.view import add_which_segments, counted
from snakemesh.drawing.direction import TILT, TURN
from snakemesh.errors import UserError
from snakemesh.view.limits import MOST_DRAWN

# The most pixels of a picture. Drawing this many takes 4 GB.
MOST_PIXELS = 36_000_000


def picture_size(text: str) -> tuple[int, int]:
    """The width and height of --size, such as "1600x1200"."""
    found = re.fullmatch("([0-9]{1,6})x([0-9]{1,6})", text, re.ASCII)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if min(width, height) < 100 or width * height > MOST_PIXELS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size such as 1600x1200, of at least 100 pixels a side and at most "
            f"{MOST_PIXELS:,} in all"
        )
    return width, height


def direction(text: str) -> tuple[float, float]:
    """The azimuth and elevation of --view, such as "35,25"."""
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*", text, re.ASCII)
    azimuth, elevation = (float(found[1]), float(found[2])) if found else (0.0, 91.0)
    if abs(elevation) > 90:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a direction such as 35,25: degrees around the vertical axis, and "
            "degrees above the horizon, from -90 to 90"
        )
    return azimuth, elevation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    add_which_segments(parser, MOST_DRAWN)
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="FILE", help=".png, .gif or .mp4")
    add("--lod", type=counted(0, 31), help="level of detail; by default the finest that is cheap")
    add(
        "--size",
        type=picture_size,
        default=(1600, 1200),
        metavar="WIDTHxHEIGHT",
        help="in pixels; 1600x1200 by default",
    )
    add(
        "--view",
        type=direction,
        default=(TURN, TILT),
        metavar="AZIMUTH,ELEVATION",
        help=f"in degrees; 0,0 looks along z; {TURN:.0f},{TILT:.0f} by default",
    )
    add("--turntable", type=counted(2, 1000), metavar="N", help="N frames of one turn, 25 a second")
    add("--background", choices=("white", "black", "transparent"), default="white")


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Draw the picture, and say what it shows."""
    # here, because the other commands and shell completion need no numpy
    from snakemesh.view.shot import shoot

    try:
        print(shoot(parser, options))
    except UserError as error:
        sys.exit(f"snakemesh: {error}")
    except OSError as error:
        sys.exit(f"snakemesh: {options.output} cannot be written: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
