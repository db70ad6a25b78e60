"""The server answers real requests."""

import asyncio
import http.client
import re
import socket
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream
from tornado.web import HTTPError

from snakemesh.cli.program import main
from snakemesh.view import server as serving

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
PATIENCE_S = 60  # for an answer, on the slowest machine


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A directory to serve, a volume beside it, and a file outside both that must stay secret."""
    base = tmp_path_factory.mktemp("serve")
    (base / "secret").write_text("secret")
    served = base / "served"
    (served / "multires" / "segment_properties").mkdir(parents=True)
    (served / "multires" / "0.shard").write_bytes(CONTENT)
    (served / "multires" / "empty").write_bytes(b"")
    (served / "multires" / "info").write_text('{"@type": "neuroglancer_multilod_draco"}')
    (served / "a name").write_text("spaces")
    (served / "leak").symlink_to(base / "secret")
    (served / "inside").symlink_to(served / "multires" / "info")
    (served / "loop").symlink_to(served / "loop")
    volume = base / "segmentation.zarr"
    (volume / "s0").mkdir(parents=True)
    (volume / ".zattrs").write_text("{}")
    (volume / "s0" / ".zarray").write_text('{"chunks": []}')
    (served / "s0").symlink_to(volume / "s0")
    return base


def server_of(mounts: dict[str, Path]) -> serving.Server:
    return serving.Server(partial(serving.located, mounts), "127.0.0.1", 0, cors=True)


@pytest.fixture(scope="module")
def address(root):
    with server_of({"": root / "served", "volume": root / "segmentation.zarr"}) as server:
        yield "127.0.0.1", server.port


@pytest.fixture
def ask(address):
    """A function that sends requests (method, path, headers) over one connection.

    It returns the status, the headers and the body of the answer.
    """
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)

    def ask(method: str, path: str, **headers: str):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    yield ask
    connection.close()


def test_whole_file(ask):
    status, headers, body = ask("GET", "/multires/0.shard")
    assert (status, body) == (200, CONTENT)
    assert headers["Content-Length"] == str(SIZE)
    assert headers["Accept-Ranges"] == "bytes"
    assert ask("GET", "/multires/info?x=1")[2].startswith(b"{")
    assert ask("GET", "/a%20name")[2] == b"spaces"
    assert ask("GET", "//multires/./empty")[::2] == (200, b"")


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-299", 100, 300),
        ("bytes=10000-", 10000, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=-{SIZE + 9}", 0, SIZE),
        (f"bytes=9-{SIZE + 9}", 9, SIZE),
        (f"bytes={SIZE - 1}-{SIZE - 1}", SIZE - 1, SIZE),
    ],
)
def test_ranges(ask, asked, begin, end):
    status, headers, body = ask("GET", "/multires/0.shard", Range=asked)
    whole = (begin, end) == (0, SIZE)  # a range of all of it may be answered as none
    assert (status, body) == (200 if whole else 206, CONTENT[begin:end])
    assert headers["Content-Range"] == (None if whole else f"bytes {begin}-{end - 1}/{SIZE}")
    assert headers["Content-Length"] == str(end - begin)


@pytest.mark.parametrize(
    "asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=5-2"]
)
def test_unsatisfiable_ranges(ask, asked):
    status, headers, body = ask("GET", "/multires/0.shard", Range=asked)
    assert (status, body) == (416, b"")
    assert headers["Content-Range"] == f"bytes */{SIZE}"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert ask("GET", "/multires/empty", Range="bytes=0-5")[0] == 416


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=a-b"],
)
def test_ranges_that_are_ignored(ask, asked):
    assert ask("GET", "/multires/0.shard", Range=asked)[::2] == (200, CONTENT)


def test_cors(ask):
    for path, status in (("/multires/info", 200), ("/nothing", 404)):
        found, headers, _ = ask("GET", path, Origin="https://neuroglancer-demo.appspot.com")
        assert found == status
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Content-Range" in headers["Access-Control-Expose-Headers"]


def test_preflight(ask):
    headers = {"Origin": "https://example.org", "Access-Control-Request-Headers": "range"}
    status, headers, body = ask("OPTIONS", "/multires/0.shard", **headers)
    assert (status, body) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Headers"] == "Range"
    assert "GET" in headers["Access-Control-Allow-Methods"]
    assert headers["Access-Control-Allow-Private-Network"] == "true"
    assert ask("GET", "/multires/info")[0] == 200  # the connection still works


def test_head(ask):
    status, headers, body = ask("HEAD", "/multires/0.shard")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(SIZE))
    assert ask("HEAD", "/nothing")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_read_only(address, root, method):
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
    connection.request(method, "/multires/info")
    assert connection.getresponse().status == 405
    connection.close()
    assert (root / "served" / "multires" / "info").is_file()


def raw(address, text: str) -> bytes:
    """The answer to a request that is sent as it stands; http.client would change paths."""
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/multires/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/volume/../secret",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/leak",
        "/loop",
        "/multires",
        "/",
        "/multires/info/more",
        "/multires/in%00fo",
        "/" + "x" * 5000,
        "/%ff",
        "//[",
    ],
)
def test_refused(address, path):
    answer = raw(address, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1.1 40[04]", answer)
    assert b"secret" not in answer and b"root:" not in answer


def test_links_and_the_volume(ask):
    assert ask("GET", "/inside")[2].startswith(b"{")
    assert ask("GET", "/volume/.zattrs")[2] == b"{}"
    assert ask("GET", "/volume/s0/.zarray")[2] == b'{"chunks": []}'
    assert ask("GET", "/s0/.zarray")[2] == b'{"chunks": []}'  # a link into the volume
    assert ask("GET", "/volume/s0/0/0/0")[0] == 404


def test_many_at_once(address):
    bodies = []

    def fetch():
        connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
        for _ in range(20):
            connection.request("GET", "/multires/0.shard", headers={"Range": "bytes=256-511"})
            bodies.append(connection.getresponse().read())
        connection.close()

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [CONTENT[256:512]] * 160


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("Host: 127.0.0.1", 200),
        ("Host: LOCALHOST:80", 200),
        ("Host: [::1]:9000", 200),
        ("Host: evil.example", 421),
        ("Host: evil.example:9000", 421),
        ("Host: 127.0.0.1.evil.example", 421),
        ("Host: ", 421),
        ("X: 127.0.0.1", 400),
    ],
)
def test_only_requests_for_this_host_are_answered(address, host, status):
    text = f"GET /multires/info HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n"
    answer = raw(address, text)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"neuroglancer" in answer) == (status == 200)


def test_a_server_for_other_machines_knows_its_names():
    server = serving.Server(lambda path: None, serving.ANY_HOST, 0, cors=True)
    assert server.is_ours(socket.gethostname(), "10.0.0.7")
    assert server.is_ours("10.0.0.7:9000", "10.0.0.7")
    assert not server.is_ours("10.0.0.8:9000", "10.0.0.7")


def test_a_request_that_arrives_slowly_loses_its_connection(root, monkeypatch):
    """Each byte comes soon after the one before, but the request never ends."""
    monkeypatch.setattr(serving, "PATIENCE_S", 1)
    with (
        server_of({"": root / "served"}) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as slow,
    ):
        slow.sendall(b"GET /multires/info HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):
            for _ in range(10 * PATIENCE_S):
                slow.sendall(b"x")
                time.sleep(0.1)


def test_a_refused_connection_is_closed(address):
    """The body of a refused request is not answered as if it were a request."""
    body = "GET /multires/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(address, f"POST / HTTP/1.1\r\nHost: evil.example\r\n\r\n{body}")
    assert answer.startswith(b"HTTP/1.1 421 ") and answer.count(b"HTTP/1.1") == 1


def test_a_server_that_ends_at_once_ends():
    for _ in range(50):
        with server_of({}):
            pass


def test_two_hosts_are_refused(address):
    text = "GET /multires/info HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"
    assert raw(address, f"{text}Connection: close\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "99999"], "expected 0 to 65535"),
        (["--port", "-1"], "port"),
        (["--port", "abc"], "expected 0 to 65535"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--host", "\u00e9" * 99], "cannot listen on"),
        (["--volume", "https://host/seg"], "--volume needs --url"),
    ],
)
def test_wrong_arguments_are_one_line(root, capsys, arguments, says):
    with pytest.raises(SystemExit):
        main(["view", str(root / "served"), *arguments])
    line = capsys.readouterr().err.splitlines()[-1]
    assert "error: " in line and says in line


def test_a_port_in_use_is_said(root, address, capsys):
    with pytest.raises(SystemExit):
        main(["view", str(root / "served"), "--port", str(address[1])])
    assert "Address already in use" in capsys.readouterr().err


def test_nothing_there_yet(tmp_path):
    with pytest.raises(SystemExit):
        main(["view", str(tmp_path / "nothing")])


def test_a_browser_that_has_gone_away_is_no_error():
    """Its connection has no socket any more when the second of two requests is looked at."""
    request = HTTPServerRequest("GET", "/info", headers=HTTPHeaders({"Host": "localhost"}))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def gone():
            stream = IOStream(socket.create_connection(listening.getsockname()))
            stream.close()
            return stream

        request.connection = SimpleNamespace(stream=asyncio.run(gone()))
    with pytest.raises(HTTPError, match=str(serving.GIVEN_UP)):
        serving._refuse_other_hosts(SimpleNamespace(request=request), lambda *_: True)
