"""What the command lines of scripts/serve.py and scripts/view.py have in common."""

import argparse
import os
import socket

from snakemesh.view.server import ANY_HOST, Find, Server


def port_number(text: str) -> int:
    """A port of the command line; 0 takes any that is free."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, expected a number from 0 to 65535")
    return int(text)


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add the options --port and --host."""
    parser.add_argument("--port", type=port_number, default=9000)
    parser.add_argument("--host", default="127.0.0.1", help=f"{ANY_HOST} lets other machines in")


def refuse_no_directory(parser: argparse.ArgumentParser, *paths: str | None) -> None:
    """End the program if a path that was given is no directory."""
    for path in paths:
        if path is not None and not os.path.isdir(path):  # "" is not the working directory
            parser.error(f"{path} is not a directory")


def listening(
    parser: argparse.ArgumentParser, options: argparse.Namespace, find: Find, cors: bool
) -> Server:
    """A server at the address that the options name; ends the program if it cannot listen there."""
    try:
        return Server(find, options.host, options.port, cors)
    except (OSError, TypeError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        parser.error(f"cannot listen on {options.host} port {options.port}: {reason}")


def url_of(server: Server, host: str) -> str:
    """The URL of a server that listens on `host`, without a slash at its end."""
    return f"http://{socket.gethostname() if host == ANY_HOST else host}:{server.port}"
