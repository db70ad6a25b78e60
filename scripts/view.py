"""Look at an output: serve its meshes, its levels and Neuroglancer itself from this machine.

    python scripts/view.py [DIRECTORY] [--ids 17,4711 | --where 'volume > 1e9']
                           [--port 9000] [--host 127.0.0.1] [--elsewhere]
                           [--url https://ADDRESS [--volume https://ADDRESS]]

Nothing is fetched from the internet. Neither another site nor another user of this machine can read
what is served: the URL has a part that nobody can guess. It can be called while a run is going on:
what is finished is shown, and what is finished later after a reload. Nothing is written.

With --elsewhere, pages of all sites may read what is served, if they know the URL: it is printed
for a viewer that this machine does not serve.

With --url, it serves nothing, and prints a link to share: to a copy of the meshes on a web server.
"""

import argparse
import getpass
import os
import re
import secrets
import socket
import sys
import webbrowser
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.view.output import Output, read_output
from snakemesh.view.segments import Chosen, from_summaries, from_table
from snakemesh.view.server import ANY_HOST, Server
from snakemesh.view.site import (
    Site,
    client_folder,
    page_link,
    shared_state,
    site_state,
    volume_at,
)
from snakemesh.view.state import SHOWN_AT_FIRST, sources_of, viewer_link

MOST = 1000  # segments that are selected; each is a part of the URL


def port_number(text: str) -> int:
    """A port of the command line; 0 takes any that is free."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, expected a number from 0 to 65535")
    return int(text)


def label_list(text: str) -> list[int]:
    """The labels of --ids, such as "17,4711"."""
    if not re.fullmatch(r"\s*[0-9]+(\s*,\s*[0-9]+)*\s*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of labels such as 17,4711")
    labels = [int(part) for part in text.split(",")]
    if max(labels) >= 1 << 64 or len(labels) > MOST:
        raise argparse.ArgumentTypeError(f"expected at most {MOST} labels of 64 bits")
    return labels


def address(text: str) -> str:
    """An address of --url or --volume, without a slash at its end."""
    if not re.match("(https?|gs|s3)://.", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address with https://, gs:// or s3://")
    return text.rstrip("/")


def chosen_segments(output: Output, ids: list[int] | None, where: str | None) -> Chosen:
    """The segments to select. Raises UserError for labels or a condition that cannot be."""
    most = SHOWN_AT_FIRST if ids is None and where is None else MOST
    if output.meshes_are_finished() and Path(output.folder.segments).is_file():
        return from_table(Path(output.folder.segments), most, ids, where)
    if where is not None:
        raise UserError(f"--where needs {output.folder.segments}, which a run writes at its end")
    return from_summaries(output.summaries(), most, ids)


def remarks(output: Output, chosen: Chosen) -> list[str]:
    """What there is to say of what is shown and what is not, in lines."""
    lines = []
    if not output.meshes_are_finished():
        lines.append("The meshes are not finished yet: those that are appear after a reload.")
    if chosen.of > len(chosen.labels) and chosen.labels:
        lines.append(f"The {len(chosen.labels):,} largest of {chosen.of:,} segments are selected.")
    if not chosen.of:
        lines.append("No segment is selected.")
    if volume_at(output, "") is None:
        lines.append(
            "The voxels are not shown: their folder or format is none that the viewer reads, or "
            "none that can be shown near 0; their labels are others (label_map); or a version "
            "before this one made the output."
        )
    if (zero := output.zero_nm()).any():
        lines.append(
            f"Positions in the viewer, which computes in 32 bits, count from {zero.tolist()} nm "
            "(x y z): it would draw voxels and meshes in wrong places that far away."
        )
    return lines


def share(output: Output, url: str, volume: str | None, chosen: Chosen) -> None:
    """Print a link that others can open. Raises UserError if there is nothing to share."""
    if not output.meshes_are_finished():
        raise UserError("--url needs finished meshes; when the run has ended, copy them there")
    print(f"Share\n  {viewer_link(shared_state(output, url, volume, chosen))}")
    print("The server has to answer requests of other origins, and for ranges: docs/output.md")
    if url.startswith("http://"):
        print("Browsers do not let this viewer read http:// from other machines: use https://")


def open_browser(url: str) -> None:
    """Open the page if this machine has a screen that the user sits at."""
    has_screen = sys.platform == "darwin" or os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}
    if has_screen and "SSH_CONNECTION" not in os.environ:
        webbrowser.open(url)


def main(arguments: list[str] | None = None) -> None:
    """Serve until Ctrl-C. `arguments` are those of the command line by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", default="results/example", metavar="DIRECTORY")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--ids", type=label_list, help="the labels to select, such as 17,4711")
    which.add_argument("--where", help="select by columns of segments.parquet: 'volume > 1e9'")
    parser.add_argument("--port", type=port_number, default=9000)
    parser.add_argument("--host", default="127.0.0.1", help=f"{ANY_HOST} lets other machines in")
    parser.add_argument(
        "--elsewhere", action="store_true", help="let a viewer of another site read what is served"
    )
    parser.add_argument("--url", type=address, help="of a copy of DIRECTORY or of its multires/")
    parser.add_argument("--volume", type=address, help="of a copy of the volume, with --url")
    options = parser.parse_args(arguments)
    if not os.path.isdir(options.directory):  # "" is not the working directory
        parser.error(f"{options.directory} is not a directory")
    output = read_output(Path(options.directory))
    if not output.is_one():
        found = f"{options.directory} is not an output directory of snakemesh"
        expected = "expected multires/info or the snakemesh.json of a run in it"
        parser.exit(2, f"{parser.prog}: error: {found}: {expected}\n")
    if options.volume and not options.url:
        parser.error("--volume needs --url")
    state: dict[str, object] = {}
    try:
        chosen = chosen_segments(output, options.ids, options.where)
        if options.url:
            return share(output, options.url, options.volume, chosen)
        site = Site(output.root, client_folder(), state, secrets.token_urlsafe(12))
        server = Server(site.find, options.host, options.port, options.elsewhere)
    except UserError as error:
        parser.error(str(error))
    except (OSError, TypeError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        parser.error(f"cannot listen on {options.host} port {options.port}: {reason}")
    with server:
        name = socket.gethostname() if options.host == ANY_HOST else options.host
        url = f"http://{name}:{server.port}"
        state |= site_state(output, f"{url}/{site.secret}", chosen)
        link = page_link(url, site.secret)
        print(f"Open\n  {link}")
        if options.elsewhere:
            print("In a viewer elsewhere, add these sources to one layer of segmentation")
            print(*(f"  {source}" for source in sources_of(state)), sep="\n")
            print(f"or open\n  {viewer_link(state)}")
        if options.host != ANY_HOST:
            host = f"{getpass.getuser()}@{socket.getfqdn()}"
            print("On a laptop that reaches this machine through SSH, first type there")
            print(f"  ssh -L {server.port}:{options.host}:{server.port} {host}")
        print(*remarks(output, chosen), sep="\n")
        print("Stop with Ctrl-C.", flush=True)
        open_browser(link)
        server.wait()


if __name__ == "__main__":
    main()
