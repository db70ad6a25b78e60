"""An HTTP server of files that only reads, for a viewer in a browser. Tornado does the HTTP."""

import asyncio
import os
import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

ANY_HOST = "0.0.0.0"
# A connection is closed if it is idle for so long, or if a request takes so long to arrive.
PATIENCE_S = 60
EVENTS = "events"  # the viewer listens to events under this path
GIVEN_UP = 499  # the status of requests that a browser took back, as nginx notes it
MAX_REQUEST_BYTES = 1 << 16  # of the head of a request; none has a body that is read
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

# What the path of a request stands for: a file, a document, or nothing.
Find = Callable[[str], Path | bytes | None]


def located(mounts: Mapping[str, Path], url_path: str) -> Path | None:
    """The file that a request means, or None if there is none in a directory that is served.

    `mounts` maps the first parts of a path, such as "multires" or "volume/s0", to a directory. The
    directory of "" serves all other paths, if there is one. Files that a job has not finished are
    not there. A link is followed only into a directory that is served: `s0` of a built pyramid, for
    example, may be a link into the volume.
    """
    parts = [part for part in unquote(url_path).split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part or UNFINISHED.fullmatch(part) for part in parts):
        return None
    starts = ((n, "/".join(parts[:n])) for n in range(len(parts), -1, -1))
    found = next(((n, mounts[start]) for n, start in starts if start in mounts), None)
    if found is None:
        return None
    path = found[1].joinpath(*parts[found[0] :]).resolve()
    served = any(path.is_relative_to(mount.resolve()) for mount in mounts.values())
    return path if served and path.is_file() and os.access(path, os.R_OK) else None


class Handler(StaticFileHandler):
    """Answers requests for what `find` finds.

    cors: whether pages of every other site may read the answers, too.
    """

    def initialize(  # type: ignore[override]
        self, find: Find, is_ours: Callable[[str, str], bool], cors: bool
    ) -> None:
        super().initialize("/")
        self.find, self.is_ours, self.cors = find, is_ours, cors
        self.answer: Path | bytes | None = None
        if cors:  # `set_default_headers` is called before this
            self._allow_every_origin()

    def _allow_every_origin(self) -> None:
        for name, value in CORS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse requests that were meant for another host, and find what the others mean."""
        _refuse_other_hosts(self, self.is_ours)
        with suppress(OSError, ValueError, RuntimeError):  # also malformed paths, links in a circle
            self.answer = self.find(self.request.path)

    async def get(self, path: str = "", include_body: bool = True) -> None:
        """Send a document, or a file or the part of it that the header Range asks for."""
        if isinstance(self.answer, bytes):
            self.set_header("Content-Type", "application/json")
            self.set_extra_headers(path)
            self.finish(self.answer)
        elif self.answer is None:
            raise HTTPError(404)
        else:
            await super().get(path, include_body)

    async def head(self, path: str = "") -> None:
        """As `get`, without the content."""
        await self.get(path, include_body=False)

    def options(self) -> None:
        """Say what pages of other sites may ask for."""
        self.set_status(204)
        for name, value in PREFLIGHT.items() if self.cors else ():
            self.set_header(name, value)

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Nothing: `find` has found the file."""
        return ""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str:
        """The file that `find` has found. `located` decides which may be seen."""
        return str(self.answer)

    def set_extra_headers(self, path: str) -> None:
        """The next run may write other files under the same names."""
        self.set_header("Cache-Control", "no-cache")

    def compute_etag(self) -> None:
        """None: to hash a shard would be to read it all."""

    def should_return_304(self) -> bool:
        """No: the date of a file is in whole seconds, and proves nothing."""
        return False

    def write_error(self, status_code: int, **_: object) -> None:
        """Answer a refused request: no body says what was found or why."""
        if self.cors:
            self._allow_every_origin()  # the headers were cleared
        _finish_refused(self, status_code)


class Silence(RequestHandler):
    """A stream of events that never come.

    The viewer of the package neuroglancer listens to the events of a Python program, and complains
    if nobody sends any. It needs none, as its state is in its URL.
    """

    def initialize(self, is_ours: Callable[[str, str], bool]) -> None:
        self.is_ours = is_ours
        self.is_closed = asyncio.Event()

    def prepare(self) -> None:
        """Refuse requests that were meant for another host."""
        _refuse_other_hosts(self, self.is_ours)

    async def get(self) -> None:
        """Keep the connection open until the page closes it."""
        self.set_header("Content-Type", "text/event-stream")
        await self.flush()
        await self.is_closed.wait()

    def on_connection_close(self) -> None:
        """End the request."""
        self.is_closed.set()

    def write_error(self, status_code: int, **_: object) -> None:
        """Answer a refused request without a body."""
        _finish_refused(self, status_code)


def _refuse_other_hosts(handler: RequestHandler, is_ours: Callable[[str, str], bool]) -> None:
    """Raise HTTPError for a request that was meant for another host.

    A page of another site can have its own name lead to this machine (DNS rebinding), and could
    read what is served here if it were answered.
    """
    hosts = ",".join(handler.request.headers.get_list("Host"))  # two of them are none of ours
    connected = handler.request.connection.stream.socket  # type: ignore[union-attr]
    if connected is None:
        raise HTTPError(GIVEN_UP, reason="nobody waits for the answer any more")
    if not is_ours(hosts, connected.getsockname()[0]):
        raise HTTPError(421)


def _finish_refused(handler: RequestHandler, status_code: int) -> None:
    """End an answer; after one to another host, the connection too: what follows is no request."""
    stream = handler.request.connection.stream  # type: ignore[union-attr]
    sent = handler.finish()
    if status_code == 421:
        sent.add_done_callback(lambda _: stream.close())


class Server:
    """A server that listens from the start, and answers within `with`, in a thread of its own.

    cors: whether pages of every other site may read what is served. host, port: where it
    listens; port 0 takes any that is free. on_answer: is called with every
    request that was answered. Raises OSError, TypeError or UnicodeError if it cannot listen there.
    """

    def __init__(
        self,
        find: Find,
        host: str,
        port: int,
        cors: bool,
        on_answer: Callable[[RequestHandler], None] = lambda handler: None,
    ) -> None:
        self._names = {"localhost", "127.0.0.1", "[::1]", host.lower()}
        if host == ANY_HOST:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        arguments = {"find": find, "is_ours": self.is_ours, "cors": cors}
        self._application = Application(
            [(f"/{EVENTS}/.*", Silence, {"is_ours": self.is_ours}), (r".*", Handler, arguments)],
            log_function=on_answer,
        )
        self._sockets = bind_sockets(port, host)
        self.port: int = self._sockets[0].getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def is_ours(self, host: str, address: str) -> bool:
        """Whether a request for `host` (a port may follow) that came in at `address` is ours."""
        name = re.sub(r":[0-9]*$", "", host.strip()).lower()
        return name in self._names or name == address

    def _serve(self) -> None:
        async def serve() -> None:
            server = HTTPServer(
                self._application,
                max_header_size=MAX_REQUEST_BYTES,
                max_body_size=MAX_REQUEST_BYTES,
                idle_connection_timeout=PATIENCE_S,
                body_timeout=PATIENCE_S,
            )
            server.add_sockets(self._sockets)
            await self._ended.wait()
            server.stop()
            await server.close_all_connections()

        self._loop.run_until_complete(serve())
        self._loop.close()

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._thread.join()
