"""Web servers of a folder on this machine, as kind to their clients as others are."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Plain(SimpleHTTPRequestHandler):
    """Sends whole files, and ignores requests for ranges."""

    def log_message(self, *_):
        pass


class Denying(Plain):
    """Answers 403 for what is not there, as a bucket does whose keys nobody may list."""

    def send_error(self, code, *_):
        super().send_error(403 if code == 404 else code)


class Ranged(Denying):
    """Sends parts of files too, as nearly all servers do."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        begin, _, end = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if not begin or not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes()
        part = content[int(begin) : int(end) + 1 if end else None]
        if not part:
            self.send_error(416)
            return
        self.send_response(206)
        last = int(begin) + len(part) - 1
        self.send_header("Content-Range", f"bytes {begin}-{last}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


class Moved(Plain):
    """Sends all who ask for /old to /new."""

    code = 302

    def send_head(self):
        if not self.path.startswith("/old"):
            return super().send_head()
        self.send_response(self.code)
        self.send_header("Location", self.path.replace("/old", "/new", 1))
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


@contextmanager
def served(folder: Path | str, handler: type[Plain] = Plain) -> Iterator[str]:
    """The address, without a slash at its end, at which a folder is served meanwhile."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
