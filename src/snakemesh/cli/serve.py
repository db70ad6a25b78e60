"""Serve an output to a viewer of another site: print what to paste there.

    snakemesh serve /data/meshes
    snakemesh serve /data/meshes --ids 17,4711 --host 0.0.0.0

It is `snakemesh view`, but pages of all sites may read what is served, if they know the URL.
Without --host, only browsers on this machine reach it. Nothing is written.
"""

import argparse

from snakemesh.cli.view import add_what_is_shown

add_arguments = add_what_is_shown


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    # here, because the other commands and shell completion need no numpy
    from snakemesh.view.look import look_from_elsewhere

    look_from_elsewhere(parser, options)
