"""Serve an output directory to Neuroglancer from this machine, to look at a result.

    python scripts/serve.py [DIRECTORY] [--volume SEGMENTATION] [--port 9000] [--host 127.0.0.1]

The server only reads, and of DIRECTORY it shows what is to be seen: the meshes and the levels. It
answers Range requests. It allows every origin (CORS), so that a viewer loaded from any site can
read the files. It needs nothing but Python.
"""

import argparse
import os
import re
import socket
import sys
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from snakemesh.output.folder import MULTIRES, PYRAMID
from snakemesh.output.viewer_link import VOLUME, largest_segments, sources, viewer_link

SHOWN = (MULTIRES, PYRAMID)  # the folders of an output that are served
ANY_HOST = "0.0.0.0"
CONNECTIONS = 64  # at the same time; a browser opens six to one server
# A connection is closed if it is idle for so long, or if a request takes so long to arrive.
PATIENCE_S = 60
# As snakemesh names files that are being written (`snakemesh.output.atomic`).
UNFINISHED = re.compile(r"\..+\.tmp")

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Range, Content-Length, Accept-Ranges",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Range",
    # Chromium asks for this before a page of a public site may read from a private address.
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "86400",
}


class UnsatisfiableRangeError(ValueError):
    """The range that a request asks for lies outside the file."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes [begin, end) that a Range header asks for (RFC 9110, section 14.2).

    `size` is the size of the file in bytes. Returns None if the whole file must be sent: there is
    no header, or the server may ignore it because it is malformed, has another unit or several
    ranges. Raises UnsatisfiableRangeError if none of the bytes exist.
    """
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", (header or "").strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        begin, end = max(size - int(last), 0), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < begin:
            return None
    if begin >= size:
        raise UnsatisfiableRangeError(header)
    return begin, end


def located(mounts: dict[str, Path], url_path: str) -> Path | None:
    """The file that a request means, or None if there is none in a directory that is served.

    `mounts` maps the first part of a path to a directory. The directory of "" serves all other
    paths, if there is one. Files that a job has not finished are not there. A link is followed only
    into a directory that is served: `s0` of a built pyramid, for example, may be a link into the
    volume.
    """
    parts = [part for part in unquote(url_path).split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part or UNFINISHED.fullmatch(part) for part in parts):
        return None
    root = mounts[parts.pop(0)] if parts and parts[0] in mounts else mounts.get("")
    if root is None:
        return None
    path = root.joinpath(*parts).resolve()
    served = any(path.is_relative_to(mount.resolve()) for mount in mounts.values())
    return path if served and path.is_file() else None


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: "Server"
    # A viewer makes thousands of small requests. HTTP/1.1 keeps the connection open between them.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms between its head and its body
    timeout = PATIENCE_S

    def handle(self) -> None:
        with suppress(ConnectionError):  # a viewer drops requests that it no longer needs
            super().handle()

    def handle_one_request(self) -> None:
        self.server.deadlines[self.connection] = time.monotonic() + self.timeout
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Refuse requests that were meant for another host.

        A page of another site can have its own name lead to this machine (DNS rebinding), and could
        read what is served here if it were answered.
        """
        arrived = super().parse_request()
        self.server.deadlines.pop(self.connection, None)
        if not arrived:
            return False
        hosts = ",".join(self.headers.get_all("Host", []))  # two of them are none of ours
        if self.server.is_ours(hosts, self.connection.getsockname()[0]):
            return True
        self._head(HTTPStatus.MISDIRECTED_REQUEST, {"Content-Length": "0"})
        self.close_connection = True  # a body that follows is no request
        return False

    def do_OPTIONS(self) -> None:
        self._head(HTTPStatus.NO_CONTENT, PREFLIGHT)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: viewers ask for chunks that do not exist all the time."""

    def _answer(self, with_body: bool) -> None:
        try:
            path = located(self.server.mounts, urlsplit(self.path).path)
            file = None if path is None else path.open("rb")
        # In this order: an unreadable file, a malformed URL, links in a circle.
        except (OSError, ValueError, RuntimeError):
            file = None
        if file is None:
            self._head(HTTPStatus.NOT_FOUND, {"Content-Length": "0"})
            return
        with file:
            self._send(file, with_body)

    def _send(self, file: BinaryIO, with_body: bool) -> None:
        size = os.fstat(file.fileno()).st_size
        try:  # the header Range is defined for GET only
            wanted = byte_range(self.headers.get("Range"), size) if with_body else None
        except UnsatisfiableRangeError:
            headers = {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers)
            return
        begin, end = wanted or (0, size)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - begin),
            "Accept-Ranges": "bytes",
            # The next run may write other files under the same names.
            "Cache-Control": "no-cache",
        }
        if wanted is not None:
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        self._head(HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT, headers)
        if with_body and end > begin:
            self.connection.sendfile(file, begin, end - begin)

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (CORS | headers).items():
            self.send_header(name, value)
        self.end_headers()


class Server(ThreadingHTTPServer):
    """Serves directories. `mounts` maps "" to the directory under /, and names to others."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], mounts: dict[str, Path]) -> None:
        super().__init__(address, Handler)
        self.mounts = mounts
        self._names = {"localhost", "127.0.0.1", "[::1]", address[0].lower()}
        if address[0] == ANY_HOST:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self.deadlines: dict[socket.socket, float] = {}  # of requests that have not arrived

    def is_ours(self, host: str, address: str) -> bool:
        """Whether a request for `host` (a port may follow) that came in at `address` is ours."""
        name = re.sub(r":[0-9]*$", "", host.strip()).lower()
        return name in self._names or name == address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer one connection in a thread; refuse it if too many are open for too long."""
        if self._free.acquire(timeout=1):
            super().process_request(request, client_address)
        else:
            with suppress(OSError):
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.deadlines.pop(request, None)
            self._free.release()

    def service_actions(self) -> None:
        """Close connections whose requests arrive too slowly: byte by byte, no socket times out."""
        for connection, deadline in self.deadlines.copy().items():
            if deadline < time.monotonic():
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def port_number(text: str) -> int:
    """A port of the command line; 0 takes any that is free."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, expected a number from 0 to 65535")
    return int(text)


def main(arguments: list[str] | None = None) -> None:
    """Serve until Ctrl-C. `arguments` are those of the command line by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("directory", nargs="?", default="results/example", metavar="DIRECTORY")
    add("--volume", help=f"a zarr group to serve beside it, under /{VOLUME}")
    add("--port", type=port_number, default=9000)
    add("--host", default="127.0.0.1", help=f"{ANY_HOST} lets other machines in")
    options = parser.parse_args(arguments)
    for path in (options.directory, options.volume):
        if path is not None and not os.path.isdir(path):  # "" is not the working directory
            parser.error(f"{path} is not a directory")
    directory = Path(options.directory)
    mounts = {name: directory / name for name in SHOWN}
    if options.volume is not None:
        mounts[VOLUME] = Path(options.volume)
    if not os.path.isfile(directory / "multires/info"):
        print(f"There is no multires/info in {directory} yet.", file=sys.stderr)
    try:
        server = Server((options.host, options.port), mounts)
    except (OSError, TypeError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        parser.error(f"cannot listen on {options.host} port {options.port}: {reason}")

    host = socket.gethostname() if options.host == ANY_HOST else options.host
    found = sources(f"http://{host}:{server.server_port}", options.volume is not None)
    print("Sources for one segmentation layer in Neuroglancer:")
    print(*(f"  {source}" for source in found), sep="\n")
    print(f"or open\n  {viewer_link(found, largest_segments(directory))}")
    print("Stop with Ctrl-C.", flush=True)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
