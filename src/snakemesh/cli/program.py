# PYTHON_ARGCOMPLETE_OK
"""The command `snakemesh`: what people do before and after a run."""

import argparse

import argcomplete

from snakemesh import __version__
from snakemesh.cli import export, plan, serve, shot, view

COMMANDS = {"plan": plan, "view": view, "serve": serve, "shot": shot, "export": export}


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line. `run` of its result is the command to call."""
    whole = argparse.ArgumentParser("snakemesh", description=__doc__)
    whole.add_argument("--version", action="version", version=f"snakemesh {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        summary, _, rest = (command.__doc__ or "").partition("\n\n")
        one = commands.add_parser(
            name,
            help=summary,
            description=f"{summary}\n\n{rest}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run, parser=one)
    return whole


def main(arguments: list[str] | None = None) -> None:
    """Run a command. `arguments` are those of the command line by default."""
    whole = parser()
    argcomplete.autocomplete(whole)
    options = whole.parse_args(arguments)
    options.run(options.parser, options)
