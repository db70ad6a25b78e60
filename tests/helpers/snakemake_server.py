"""Runs `python -m snakemake` without the second of CPU time that its imports take.

A process imports Snakemake once and forks for each command line. What a fork then does is what a
new process does: arguments, folder, environment and output are its own, and nothing of this project
is imported before.
"""

import atexit
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock

# The longest message: a command line, a folder and an environment.
_MOST_BYTES = 1 << 17
# Held by the thread that asks for the server, which starts once.
_STARTING = Lock()


def run_snakemake(arguments: list[str], folder: Path) -> subprocess.CompletedProcess:
    """Run `python -m snakemake` in a folder to its end, and keep what it prints."""
    ours, theirs = socket.socketpair()
    request = json.dumps([arguments, str(folder), dict(os.environ)]).encode()
    assert len(request) <= _MOST_BYTES
    with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with theirs:
            fds = [out.fileno(), err.fileno(), theirs.fileno()]
            with _STARTING:
                server = _server()
            socket.send_fds(server, [request], fds)
        code = int(ours.recv(16))
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(["snakemake", *arguments], code, *texts)


@cache
def _server() -> socket.socket:
    """The socket of the server of this process, which ends when the process does."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        line = [sys.executable, __file__, str(theirs.fileno())]
        server = subprocess.Popen(line, pass_fds=[theirs.fileno()])
    atexit.register(server.wait)
    atexit.register(ours.close)  # the last to be registered comes first
    return ours


def _next_arguments(control: socket.socket) -> list[str]:
    """Fork for every request, and return in the fork only, which has become what was asked for."""
    while True:
        request, fds, _, _ = socket.recv_fds(control, _MOST_BYTES, 3)
        if not request:
            _reap(0)
            os._exit(0)
        out, err, answer = fds
        if os.fork() == 0:
            runner = os.fork()
            if runner == 0:
                break
            for fd in (out, err):
                os.close(fd)
            _, status = os.waitpid(runner, 0)
            os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for fd in fds:
            os.close(fd)
        _reap(os.WNOHANG)
    control.close()
    os.dup2(out, 1)
    os.dup2(err, 2)
    for fd in fds:
        os.close(fd)
    arguments, folder, environment = json.loads(request)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder  # as with -m
    sys.path[1:1] = [str(Path(folder, part)) for part in _parts(environment.get("PYTHONPATH", ""))]
    return arguments


def _parts(path: str) -> list[str]:
    """The folders of a PYTHONPATH."""
    return [part for part in path.split(os.pathsep) if part]


def _reap(options: int) -> None:
    """Take note of the ends of children. options: of waitpid; 0 waits for all of them."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


if __name__ == "__main__":
    for name in ("snakemake.cli", "snakemake.report.html_reporter", "smart_open", "worldarray"):
        import_module(name)
    gc.freeze()  # forks need not look for garbage in what was imported
    sys.argv[1:] = _next_arguments(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
