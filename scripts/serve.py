"""Serve an output directory to Neuroglancer from this machine, to look at a result.

    python scripts/serve.py [DIRECTORY] [--volume SEGMENTATION] [--port 9000] [--host 127.0.0.1]

Reads only, answers Range requests, and allows every origin (CORS), so that a viewer loaded from
anywhere can read the files. Needs nothing but Python.
"""

import argparse
import json
import os
import re
import socket
import sys
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

VIEWER = "https://neuroglancer-demo.appspot.com"
VOLUME = "volume"  # the path that --volume is served under
SHOWN_AT_FIRST = 40  # segments, the largest

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Range, Content-Length, Accept-Ranges",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Range",
    # Chromium asks before a public page may read from a private address
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "86400",
}


class UnsatisfiableRangeError(ValueError):
    """A range outside the file."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes [begin, end) of a file of ``size`` that a Range header asks for (RFC 9110, 14.2).

    None for the whole file: no header, or one this server may ignore (another unit, several ranges,
    or malformed). Raises ``UnsatisfiableRangeError`` when none of the bytes exist.
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
    """The file a request means, or None: nothing there, or not below a directory that is served.

    ``mounts`` maps the first part of a path to a directory, "" any other. A link is followed where
    it leads into a directory that is served, as that from ``s0`` of a built pyramid to the volume.
    """
    parts = [part for part in unquote(url_path).split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part for part in parts):
        return None
    root = mounts[""]
    if parts and parts[0] in mounts:
        root = mounts[parts.pop(0)]
    path = root.joinpath(*parts).resolve()
    served = any(path.is_relative_to(mount.resolve()) for mount in mounts.values())
    return path if served and path.is_file() else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a viewer makes thousands of small requests: keep connections
    timeout = 60

    def handle(self) -> None:
        with suppress(ConnectionError):  # a viewer drops what it no longer needs
            super().handle()

    def do_OPTIONS(self) -> None:
        self._head(HTTPStatus.NO_CONTENT, PREFLIGHT)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: chunks that do not exist are asked for all the time."""

    def _answer(self, with_body: bool) -> None:
        try:
            path = located(self.server.mounts, urlsplit(self.path).path)
            file = None if path is None else path.open("rb")
        except (OSError, ValueError, RuntimeError):  # unreadable, a malformed URL, a loop of links
            file = None
        if file is None:
            self._head(HTTPStatus.NOT_FOUND, {"Content-Length": "0"})
            return
        with file:
            self._send(file, with_body)

    def _send(self, file, with_body: bool) -> None:
        size = os.fstat(file.fileno()).st_size
        try:  # a range is defined for GET only
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
            "Cache-Control": "no-cache",  # the next run writes other files under the same names
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
    """Serves ``mounts``: the directory under / as "", others under their names."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], mounts: dict[str, Path]) -> None:
        super().__init__(address, Handler)
        self.mounts = mounts


def sources(url: str, with_volume: bool) -> list[str]:
    """What to paste into Neuroglancer as the sources of one segmentation layer."""
    volume = [f"zarr://{url}/{VOLUME}"] if with_volume else []
    return [*volume, f"precomputed://{url}/multires"]


def largest_segments(directory: Path) -> list[str]:
    """The ids of the largest segments, by the volumes in ``segment_properties``; [] without it."""
    try:
        text = (directory / "multires/segment_properties/info").read_text(encoding="utf-8")
        inline = json.loads(text)["inline"]
        volumes = next(p["values"] for p in inline["properties"] if p["id"] == "volume")
    except (FileNotFoundError, StopIteration):
        return []
    ranked = sorted(zip(volumes, inline["ids"], strict=True), reverse=True)
    return [segment for _, segment in ranked[:SHOWN_AT_FIRST]]


def viewer_link(layer_sources: list[str], segments: list[str]) -> str:
    """A link that opens Neuroglancer with one segmentation layer of these sources."""
    layer = {
        "type": "segmentation",
        "name": "segmentation",
        "source": layer_sources,
        "segments": segments,
        "tab": "segments",
    }
    state = {
        "layers": [layer],
        "selectedLayer": {"visible": True, "layer": layer["name"]},
        "layout": "4panel" if len(layer_sources) > 1 else "3d",
    }
    return f"{VIEWER}/#!{quote(json.dumps(state, separators=(',', ':')), safe='')}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("directory", nargs="?", type=Path, default=Path("results/example"), metavar="DIRECTORY")
    add("--volume", type=Path, help=f"a zarr group to serve beside it, under /{VOLUME}")
    add("--port", type=int, default=9000)
    add("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    options = parser.parse_args(arguments)
    mounts = {"": options.directory}
    if options.volume is not None:
        mounts[VOLUME] = options.volume
    for path in mounts.values():
        if not path.is_dir():
            parser.error(f"{path} is not a directory")
    if not (options.directory / "multires/info").is_file():
        print(f"There is no multires/info in {options.directory} yet.", file=sys.stderr)
    try:
        server = Server((options.host, options.port), mounts)
    except OSError as error:
        parser.error(f"cannot listen on {options.host} port {options.port}: {error.strerror}")

    host = socket.gethostname() if options.host == "0.0.0.0" else options.host
    found = sources(f"http://{host}:{server.server_port}", options.volume is not None)
    print("Sources for one segmentation layer in Neuroglancer:")
    print(*(f"  {source}" for source in found), sep="\n")
    print(f"or open\n  {viewer_link(found, largest_segments(options.directory))}")
    print("Stop with Ctrl-C.", flush=True)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
