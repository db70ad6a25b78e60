"""Work that is shared with forks: the same results, the same errors, and nobody left behind."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from snakemesh import forks
from snakemesh.errors import UserError
from snakemesh.forks import has_one_thread, side_by_side


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Other tests start threads in this process, which hold no lock that matters here."""
    monkeypatch.setattr(forks, "has_one_thread", lambda: True)


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9])
def test_results_come_in_order(n, processes):
    found = side_by_side(lambda i: (i, np.arange(i), os.getpid()), range(n), processes)
    assert [i for i, _, _ in found] == [len(numbers) for _, numbers, _ in found] == list(range(n))
    workers = {pid for _, _, pid in found}
    assert len(workers) == min(n, processes)
    assert n == 0 or os.getpid() in workers


def test_results_larger_than_a_pipe():
    found = side_by_side(lambda i: np.full(1 << 20, i), range(4), 2)
    assert [numbers.sum() for numbers in found] == [i << 20 for i in range(4)]


@pytest.mark.parametrize("at", [0, 1], ids=["in this process", "in a fork"])
def test_errors_are_raised(at):
    def work(i):
        if i == at:
            raise UserError("a label is negative")
        return i

    with pytest.raises(UserError, match="^a label is negative$"):
        side_by_side(work, range(2), 2)


def test_a_fork_that_is_killed():
    def work(i):
        if i == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ChildProcessError, match="exit status -9"):
        side_by_side(work, range(2), 2)


def test_no_forks_beside_threads(monkeypatch):
    monkeypatch.setattr(forks, "has_one_thread", has_one_thread)
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert side_by_side(lambda _: os.getpid(), range(4), 4) == [os.getpid()] * 4
    finally:
        end.set()
        thread.join()


FORKING = """
import os
from snakemesh.forks import side_by_side

def work(i):
    if i == 0:
        os.kill(os.getpid(), 9)
    return bytes(1 << 20)

side_by_side(work, range(3), 3)
"""


def test_forks_end_with_a_job_that_is_killed():
    """They cannot get rid of their results. The output ends when the last of them has ended."""
    line = [sys.executable, "-c", FORKING]
    done = subprocess.run(line, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
