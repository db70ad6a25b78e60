"""Starting jobs on this machine in a fraction of the time that a new Python takes.

Snakemake starts a Python for each job. Instead, `compiling.fork_server` loads what jobs need once,
and forks for each of them. Whatever goes wrong with it, Snakemake starts the job as usual.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from threading import Lock
from typing import Any

from snakemake.script import PythonScript

# What Python is told to start the server.
SERVER = ("-m", "snakemesh.compiling.fork_server")
# Snakemake's method that runs a script and waits for it.
_RUN = "execute_script"
# What Snakemake sets in the environment of a script (`snakemake.shell`): a number of threads, and a
# folder for temporary files.
_THREADS = ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")
_TEMPORARY = ("TMPDIR", "TMP", "TEMPDIR", "TEMP")
# Bytes of the longest answer, a number in words.
_MOST_BYTES = 32


def fork_jobs(parts_of: Callable[[str], list[str]]) -> None:
    """Have the scripts that this process runs forked from one server from now on.

    parts_of: the parts of the program whose compiled functions the jobs of a rule need. A Snakemake
    without the method that is replaced stays as it is.
    """
    if not hasattr(PythonScript, _RUN):
        return
    run, forks = getattr(PythonScript, _RUN), ForkServer(SERVER)

    def run_forked(script: Any, path: str, edit: bool = False) -> None:
        is_elsewhere = script.conda_env or script.container_img or script.env_modules
        parts = parts_of(script.rulename)
        if is_elsewhere or not forks.run(path, parts, _environment(script), script.bench_record):
            run(script, path, edit)

    setattr(PythonScript, _RUN, run_forked)


class ForkServer:
    """The server, which starts with the first job. arguments: of Python."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._starting = Lock()
        self._socket: socket.socket | None = None
        # what the server was started with; None before
        self._environment: dict[str, str] | None = None

    def run(self, path: str, parts: list[str], environment: dict[str, str], record: Any) -> bool:
        """Run a script to its end. Returns whether it was run: if not, start it in another way.

        parts: of the program, whose compiled functions the script needs. record: Snakemake's
        benchmark, or None. Raises CalledProcessError like `subprocess` if the script fails, and
        ChildProcessError if the server ends before the script does.
        """
        with self._starting:
            if self._environment is None:
                self._environment = environment
                self._socket = self._started()
        if self._socket is None or self._environment != environment:
            return False
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, suppress(OSError):  # the server has ended
                request = json.dumps([path, parts]).encode()
                socket.send_fds(self._socket, [request], [theirs.fileno()])
            if not (answer := ours.recv(_MOST_BYTES)):
                return False
            pid = int(answer)
            with _measured(pid, record):
                ours.sendall(b"1")  # the job may begin
                status = ours.recv(_MOST_BYTES)
        if not status:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)  # the next attempt shall be the only one
            raise ChildProcessError("the process that jobs are forked from has ended")
        if int(status):
            raise subprocess.CalledProcessError(int(status), f"{sys.executable} {path}")
        return True

    def _started(self) -> socket.socket | None:
        """Start the server. Returns the socket for requests, None if there is no room for it."""
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        line = [sys.executable, *self._arguments, str(theirs.fileno())]
        with theirs, _ctrl_c_blocked():
            try:
                server = subprocess.Popen(line, env=self._environment, pass_fds=[theirs.fileno()])
            except OSError:
                return None
        atexit.register(server.wait)
        atexit.register(ours.close)  # ends the server; what is registered last comes first
        return ours


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Start processes that block SIGINT, which those do that the thread blocks it for."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _measured(pid: int, record: Any) -> Any:
    """Snakemake's measuring of a process, if there is a record for it."""
    if record is None:
        return nullcontext()
    from snakemake.benchmark import benchmarked  # imports psutil: not for a dry run

    return benchmarked(pid, record)


def _environment(script: Any) -> dict[str, str]:
    """The environment that Snakemake gives to a script."""
    environment = dict(os.environ)
    environment.update({f"{name}_NUM_THREADS": str(script.threads) for name in _THREADS})
    environment["VECLIB_MAXIMUM_THREADS"] = str(script.threads)
    if folder := script.resources.get("tmpdir"):
        environment.update(dict.fromkeys(_TEMPORARY, folder))
    return environment
