"""Doing independent pieces of a job's work on several cores at once, in forks of its process."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
# Where Linux lists the threads of a process.
_THREADS = Path("/proc/self/task")
_FORK = multiprocessing.get_context("fork")


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], processes: int
) -> list[Result]:
    """What `work` returns for each item, in their order.

    This process and forks of it share the items; they are at most `processes`. A fork sees all that
    this process has in memory. Only results and errors are copied, so pickle must take them. Where
    this process has other threads, it works alone: a fork would never get a lock that one of them
    holds.

    Raises what `work` raises, and ChildProcessError if a fork ends before its work is done.
    """
    n = min(processes, len(items)) if has_one_thread() else 1
    if n < 2:
        return [work(item) for item in items]
    forks = [_forked(work, items[k::n]) for k in range(1, n)]
    try:
        shares = [[work(item) for item in items[::n]], *(_received(*fork) for fork in forks)]
    finally:
        for fork, pipe in forks:
            pipe.close()
            fork.terminate()
            fork.join()
    return [shares[i % n][i // n] for i in range(len(items))]


def has_one_thread() -> bool:
    """Whether this process has no other threads, so that it can be forked at any time."""
    try:
        return len(list(_THREADS.iterdir())) == 1
    except OSError:  # not Linux
        return False


def _forked(work: Callable[[Item], Any], items: Sequence[Item]) -> tuple[BaseProcess, Connection]:
    """A fork that works on the items, and the pipe from which its results come."""
    ours, theirs = _FORK.Pipe(duplex=False)
    with theirs:
        fork = _FORK.Process(target=_send_results, args=(work, items, ours, theirs))
        fork.start()
    return fork, ours


def _send_results(
    work: Callable[[Item], Any], items: Sequence[Item], ours: Connection, theirs: Connection
) -> None:
    """Work in a fork. The results go into the pipe, or the error that ended the work."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is the job's to report
    ours.close()
    with suppress(BrokenPipeError):  # the job has ended
        try:
            theirs.send([work(item) for item in items])
        except Exception as error:
            theirs.send(error)


def _received(fork: BaseProcess, pipe: Connection) -> list[Any]:
    """The results of a fork."""
    try:
        found: list[Any] | Exception = pipe.recv()
    except EOFError:
        fork.join()
        raise ChildProcessError(f"a fork ended with exit status {fork.exitcode}") from None
    if isinstance(found, Exception):
        raise found
    return found
