"""What `snakemesh view` and `serve` do: choose segments, serve an output, and print links."""

import argparse
import getpass
import os
import secrets
import socket
import sys
import webbrowser
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.view.limits import MOST_SELECTED
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


def chosen_segments(output: Output, ids: list[int] | None, where: str | None) -> Chosen:
    """The segments to select. Raises UserError for labels or a condition that cannot be."""
    most = SHOWN_AT_FIRST if ids is None and where is None else MOST_SELECTED
    if output.meshes_are_finished() and Path(output.folder.segments).is_file():
        return from_table(Path(output.folder.segments), most, ids, where)
    if where is not None:
        raise UserError(f"--where needs {output.folder.segments}, which a run writes at its end")
    return from_summaries(output.summaries(), most, ids)


def remarks(output: Output, chosen: Chosen) -> list[str]:
    """What there is to say of what is shown and what is not, in lines."""
    lines = []
    if not output.meshes_are_finished():
        lines.append("The meshes are not finished yet; reload the page to see more of them.")
    if chosen.of > len(chosen.labels) and chosen.labels:
        lines.append(f"The {len(chosen.labels):,} largest of {chosen.of:,} segments are selected.")
    if not chosen.of:
        lines.append("No segment is selected.")
    if volume_at(output, "") is None:
        lines.append(
            "The voxels are not shown: the viewer cannot read their folder or format, or cannot "
            "show it near 0; a table of bodies (label_map) changes their labels; or an older "
            "version made the output."
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


def look(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Serve what the options of `snakemesh view` name until Ctrl-C, or print a link to a copy."""
    output = _output(parser, options)
    if options.volume and not options.url:
        parser.error("--volume needs --url")
    if not options.url:
        return _serve(parser, options, output, elsewhere=False)
    try:
        share(output, options.url, options.volume, _chosen(output, options))
    except UserError as error:
        parser.error(str(error))


def look_from_elsewhere(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Serve what the options of `snakemesh serve` name until Ctrl-C."""
    _serve(parser, options, _output(parser, options), elsewhere=True)


def _output(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Output:
    """The output that is named. Ends the program if it is none."""
    if not os.path.isdir(options.directory):  # "" is not the working directory
        parser.error(f"{options.directory} is not a directory")
    output = read_output(Path(options.directory))
    if not output.is_one():
        found = f"{options.directory} is not an output directory of snakemesh"
        expected = "expected multires/info or the snakemesh.json of a run in it"
        parser.exit(2, f"{parser.prog}: error: {found}: {expected}\n")
    return output


def _chosen(output: Output, options: argparse.Namespace) -> Chosen:
    return chosen_segments(output, options.ids, options.where)


def _serve(
    parser: argparse.ArgumentParser, options: argparse.Namespace, output: Output, elsewhere: bool
) -> None:
    """Serve an output until Ctrl-C. elsewhere: to pages of other sites too."""
    state: dict[str, object] = {}
    try:
        chosen = _chosen(output, options)
        site = Site(output.root, client_folder(), state, secrets.token_urlsafe(12))
        server = Server(site.find, options.host, options.port, elsewhere)
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
        if elsewhere:
            print("In a viewer elsewhere, add these sources to one layer of segmentation")
            print(*(f"  {source}" for source in sources_of(state)), sep="\n")
            print(f"or open\n  {viewer_link(state)}")
        if options.host != ANY_HOST:
            host = f"{getpass.getuser()}@{socket.getfqdn()}"
            print("On a laptop that reaches this machine through SSH, first type there")
            print(f"  ssh -L {server.port}:{options.host}:{server.port} {host}")
        print(*remarks(output, chosen), sep="\n")
        print("Stop with Ctrl-C.", flush=True)
        if not elsewhere:
            open_browser(link)
        server.wait()
