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
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from threading import Lock
from typing import Any

from snakemake.script import PythonScript

from snakemesh.console.interrupted_start import ctrl_c_blocked

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


def fork_jobs(forks: "ForkServer", parts_of: Callable[[str], list[str]]) -> None:
    """Have the scripts that this process runs forked from a server from now on.

    parts_of: the parts of the program whose compiled functions the jobs of a rule need. A Snakemake
    without the method that is replaced stays as it is.
    """
    if not hasattr(PythonScript, _RUN):
        return
    run = getattr(PythonScript, _RUN)

    def run_forked(script: Any, path: str, edit: bool = False) -> None:
        is_elsewhere = script.conda_env or script.container_img or script.env_modules
        parts = parts_of(script.rulename)
        environment = environment_of(script.resources.get("tmpdir"))
        if is_elsewhere or not forks.run(path, parts, environment, script.bench_record):
            run(script, path, edit)

    setattr(PythonScript, _RUN, run_forked)


class ForkServer:
    """The server, which starts with the first job or before. arguments: of Python."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._starting = Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # environment and folder that the server was started with; None before
        self._started_in: tuple[dict[str, str], str] | None = None
        self._has_jobs = False
        atexit.register(self.end)

    def start(self, environment: dict[str, str], parts: Sequence[str] = ()) -> None:
        """Start the server, so that it has loaded what jobs need when the first one comes.

        environment: that jobs are expected to have. If they have another, or another folder, the
        server starts anew. parts: as for `run`. Nothing starts if there is no room for a process.
        """
        self._started_in = environment, os.getcwd()
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        line = [sys.executable, *self._arguments, str(theirs.fileno()), *parts]
        with theirs, ctrl_c_blocked():
            try:
                self._process = subprocess.Popen(line, env=environment, pass_fds=[theirs.fileno()])
                self._socket = ours
            except OSError:
                ours.close()

    def end(self) -> None:
        """End the server and its jobs, if it runs."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            if not self._has_jobs:
                self._process.kill()  # it may still be loading
            self._process.wait()
        self._socket = None

    def run(self, path: str, parts: list[str], environment: dict[str, str], record: Any) -> bool:
        """Run a script to its end. Returns whether it was run: if not, start it in another way.

        parts: of the program, whose compiled functions the script needs. record: Snakemake's
        benchmark, or None. Raises CalledProcessError like `subprocess` if the script fails, and
        ChildProcessError if the server ends before the script does.
        """
        wanted = environment, os.getcwd()
        with self._starting:
            if not self._has_jobs and self._started_in != wanted:
                self.end()
                self.start(environment)
            self._has_jobs = True
        if self._socket is None or self._started_in != wanted:
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


def _measured(pid: int, record: Any) -> Any:
    """Snakemake's measuring of a process, if there is a record for it."""
    if record is None:
        return nullcontext()
    from snakemake.benchmark import benchmarked  # imports psutil: not for a dry run

    return benchmarked(pid, record)


def environment_of(tmpdir: str | None) -> dict[str, str]:
    """The environment that Snakemake gives to a script, for one thread: what is forked has one.

    tmpdir: the folder for temporary files, of the resources of the job.
    """
    environment = dict(os.environ)
    environment.update({f"{name}_NUM_THREADS": "1" for name in _THREADS})
    environment["VECLIB_MAXIMUM_THREADS"] = "1"
    if tmpdir:
        environment.update(dict.fromkeys(_TEMPORARY, tmpdir))
    return environment
