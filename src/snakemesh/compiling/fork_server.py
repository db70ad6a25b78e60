"""The process that jobs of a run on this machine are forked from; a run starts it.

    python -m snakemesh.compiling.fork_server SOCKET [PART ...]

Python, the imports of a script and its compiled functions take a second of CPU time to load. This
process loads them once, those of each PART before the first job, and a fork has them at once. A
fork is a process of its own in all that matters: its memory is freed when it ends, and whatever
kills it leaves the other jobs alone.

Forking is only safe where no other thread may hold a lock. So this process has one thread; if a
library has started another, jobs are no longer forked, and the run starts them as usual.

For each job, messages go through a socket of its own, in this order:

    run ──► server   path of the script, and parts of the program that it needs, in JSON; with the
                     other end of the socket. This one goes through the socket of the server
    run ◄── job      its process id
    run ──► job      one byte: the job is being watched and may begin
    run ◄── server   the exit status of the job, negative for a signal

When the run ends, its end of the server's socket closes. Then the server ends, and its jobs too.
"""

import atexit
import gc
import json
import multiprocessing
import os
import runpy
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import NoReturn

from snakemesh.forks import has_one_thread

# Bytes of the longest request: a path and a few words.
_MOST_BYTES = 1 << 14
# What takes long to import, and starts no thread as pyarrow does.
_OF_ALL_JOBS = ("snakemake.iocontainers", "snakemake.logging", "snakemesh.source.voxels")
_FORK = multiprocessing.get_context("fork")


def serve(descriptor: int, parts: Sequence[str]) -> None:
    """Fork for every request until the run ends; does not return.

    descriptor: of the socket of the server, of type SOCK_SEQPACKET. parts: of the program, to be
    loaded at once. SIGINT must be blocked: Ctrl-C is for jobs.
    """
    server = _Server(socket.socket(fileno=descriptor))
    server.load(parts)
    server.serve()


class _Server:
    def __init__(self, run: socket.socket) -> None:
        self._run = run
        # by what becomes readable when a job ends: the job, and the socket for what is said of it
        self._jobs: dict[int, tuple[BaseProcess, socket.socket]] = {}
        self._loaded: set[str] = set()

    def load(self, parts: Iterable[str]) -> None:
        """Import what most jobs import, and load the compiled functions of parts of the program."""
        new = set(parts) - self._loaded
        self._loaded |= new
        gc.disable()
        with suppress(Exception):  # the job fails in the same way, and says why
            for module in _OF_ALL_JOBS:
                import_module(module)
            if new:
                from snakemesh.compiling.stages import STAGES  # imports numba

                for stage in (stage for part in sorted(new) for stage in STAGES[part]):
                    stage()
        gc.freeze()  # forks need not look for garbage in what was loaded
        gc.enable()

    def serve(self) -> None:
        while True:
            for ready in wait([self._run, *self._jobs]):
                if isinstance(ready, int):
                    self._tell_end(ready)
                    continue
                request, descriptors, _, _ = socket.recv_fds(self._run, _MOST_BYTES, 1)
                if not request:
                    self._end()
                script, parts = json.loads(request)
                self._start(script, parts, socket.socket(fileno=descriptors[0]))

    def _start(self, script: str, parts: list[str], answers: socket.socket) -> None:
        """Fork a job. If that is not possible, close its socket: the run then starts the job."""
        self.load(parts)
        others = [self._run, *(other for _, other in self._jobs.values())]
        job = _FORK.Process(target=_become, args=(script, answers, others))
        try:
            if not has_one_thread():
                raise OSError("a library has started a thread")
            job.start()
        except OSError:
            answers.close()
            return
        self._jobs[job.sentinel] = job, answers
        if signal.SIGINT in signal.sigpending() and job.pid:  # Ctrl-C came before the fork
            os.kill(job.pid, signal.SIGINT)

    def _tell_end(self, sentinel: int) -> None:
        job, answers = self._jobs.pop(sentinel)
        job.join()
        with answers, suppress(OSError):  # the run has ended
            answers.sendall(str(job.exitcode).encode())

    def _end(self) -> NoReturn:
        for job, _ in self._jobs.values():
            job.terminate()
        os._exit(0)


def _become(script: str, answers: socket.socket, others: list[socket.socket]) -> None:
    """Be a job: run a script as a new Python would. others: sockets that the job must not hold."""
    for each in others:
        each.close()
    with answers:
        answers.sendall(str(os.getpid()).encode())
        if not answers.recv(1):
            sys.exit("the run has ended")
    sys.argv[:] = [script]
    sys.path[0] = os.path.dirname(script)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing skips them, and the rest of Python's end: 0.08 s


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2:])
