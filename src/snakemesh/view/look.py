"""What `snakemesh view` and `serve` do: choose segments, serve an output, and print links."""

import argparse
import getpass
import os
import secrets
import socket
import sys
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Any

from snakemesh.errors import UserError
from snakemesh.output.folder import RUN_DOCUMENT, SEGMENTS, WORK
from snakemesh.tables.column_colours import column_colours
from snakemesh.view.limits import MOST_SELECTED
from snakemesh.view.output import Output, read_output
from snakemesh.view.publish import publish, refuse_unfinished
from snakemesh.view.segments import Chosen, Selection, from_summaries, from_table
from snakemesh.view.server import ANY_HOST, Server
from snakemesh.view.site import (
    Site,
    client_folder,
    far_away,
    page_link,
    shared_state,
    site_state,
    volume_at,
)
from snakemesh.view.state import viewer_link


def chosen_segments(output: Output, selection: Selection) -> Chosen:
    """The segments to select, and their colours.

    Raises UserError for labels, a condition or a column that cannot be, and for a damaged table.
    """
    table = Path(output.folder.segments)
    output.refuse_damage(SEGMENTS, RUN_DOCUMENT)
    if not output.meshes_are_finished() or not table.is_file():
        if selection.color_by is not None:
            raise UserError("--color-by needs segments.parquet, which a run writes at its end")
        return from_summaries(output.summaries(), selection)
    chosen = from_table(table, selection)
    column = selection.color_by or output.segment_colors()
    if column is None:
        return chosen
    return replace(chosen, colours=column_colours(table, column))


def about(chosen: Chosen) -> list[str]:
    """Which segments are selected, and what their colours mean, in lines."""
    lines = []
    if chosen.of > len(chosen.labels) and chosen.labels:
        which = "long" if chosen.with_others else "largest"
        lines.append(f"{len(chosen.labels):,} {which} segments of {chosen.of:,} are selected.")
    if not chosen.of:
        lines.append("No segment is selected.")
    if chosen.colours is not None:
        lines.append(chosen.colours.legend)
        if (count := len(chosen.colours.labels)) > MOST_SELECTED:
            lines.append(f"Only {MOST_SELECTED:,} of these {count:,} segments have a colour.")
    return lines


def remarks(output: Output, chosen: Chosen) -> list[str]:
    """What the user is told about the view, in lines: what it lacks, and why."""
    lines = output.damage()
    if not output.document and (output.root / WORK).is_dir():
        document = output.folder.run_document
        lines.append(f"{document} is gone or damaged; the command of the run mends it")
    elif not output.meshes_are_finished():
        lines.append("The meshes are not finished yet; reload the page to see more of them.")
    lines += about(chosen)
    if volume_at(output, "") is None:
        lines.append(
            "The voxels are not shown: the viewer cannot read their folder or format, or cannot "
            "show it near 0; a table of bodies (label_map) changes their labels; or an older "
            "version made the output."
        )
    return lines + far_away(output)


def share(output: Output, url: str, volume: str | None, chosen: Chosen) -> None:
    """Print a link that others can open. Raises UserError if the finished meshes are damaged."""
    output.refuse_damage()
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
    """Serve what the options of `snakemesh view` name until Ctrl-C, publish it, or print a link."""
    output = named_output(parser, options)
    if options.volume and not (options.url or options.publish):
        parser.error("--volume needs --url or --publish")
    if not (options.url or options.publish):
        return _serve(parser, options, output, elsewhere=False)
    try:
        if options.url and not output.meshes_are_finished():
            raise UserError("--url needs finished meshes; when the run has ended, copy them there")
        if options.publish:
            refuse_unfinished(output)
        chosen = chosen_segments(output, selection_of(options))
        if options.publish:
            print(*publish(output, options.publish, options.volume, chosen), sep="\n")
        else:
            share(output, options.url, options.volume, chosen)
        for line in about(chosen):
            print(line)
    except UserError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{error.filename or options.publish}: {error.strerror or error}")


def look_from_elsewhere(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Serve what the options of `snakemesh serve` name until Ctrl-C."""
    _serve(parser, options, named_output(parser, options), elsewhere=True)


def named_output(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Output:
    """The output that is named. Ends the program if it is none."""
    if not os.path.isdir(options.directory):  # "" is not the working directory
        parser.error(f"{options.directory} is not a directory")
    output = read_output(Path(options.directory))
    if not output.is_one():
        found = f"{options.directory} is not an output directory of snakemesh"
        expected = "expected multires/info or the snakemesh.json of a run in it"
        parser.exit(2, f"{parser.prog}: error: {found}: {expected}\n")
    return output


def selection_of(options: argparse.Namespace) -> Selection:
    """The segments that the options ask for."""
    return Selection(options.ids, options.where, options.all, color_by=options.color_by)


def _serve(
    parser: argparse.ArgumentParser, options: argparse.Namespace, output: Output, elsewhere: bool
) -> None:
    """Serve an output until Ctrl-C. elsewhere: to pages of other sites too."""
    state: dict[str, Any] = {}
    try:
        chosen = chosen_segments(output, selection_of(options))
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
        try:
            state |= site_state(output, f"{url}/{site.secret}", chosen)
        except UserError as error:
            parser.error(str(error))
        link = page_link(url, site.secret)
        print(f"Open\n  {link}")
        if elsewhere:
            print("In a viewer elsewhere, add these sources to one layer of segmentation")
            print(*(f"  {source}" for source in state["layers"][0]["source"]), sep="\n")
            print(f"or open\n  {viewer_link(state)}")
        if options.host != ANY_HOST:
            host = f"{getpass.getuser()}@{socket.getfqdn()}"
            print("On a laptop that reaches this machine through SSH, first type there")
            print(f"  ssh -L {server.port}:{options.host}:{server.port} {host}")
        print(*remarks(output, chosen), sep="\n")
        print("Stop with Ctrl-C.", flush=True)
        if not elsewhere and options.browser:
            open_browser(link)
        server.wait()
