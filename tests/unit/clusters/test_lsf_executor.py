"""How long a run waits for LSF, without an LSF. tests/workflow/test_lsf.py runs on a stand-in."""

import asyncio
import logging
import threading
from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_lsf import Executor
from snakemake_interface_common.exceptions import WorkflowError

from snakemesh.clusters import cluster_executor, lsf_executor
from snakemesh.clusters.lsf_executor import LimitedExecutor, PatientExecutor, executor_for
from snakemesh.clusters.lsf_submission import RefusedError
from snakemesh.output.folder import OutputFolder

MINUTE = 60


class Clock:
    """Stands for the module `time`."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


class Lsf:
    """What the plugin's own methods do: take or refuse jobs, and answer after their states."""

    def __init__(self):
        self.error, self.states, self.taken, self.killed = None, {}, [], []


class Job:
    """A job of Snakemake."""

    def __init__(self):
        self.resources = SimpleNamespace(get=lambda name: None)
        self.log = ["out/logs/shard/0.log"]

    def is_group(self):
        return False


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lsf_executor, "time", clock)
    return clock


@pytest.fixture
def lsf(monkeypatch):
    lsf = Lsf()

    def submit(executor, job, folder):
        if lsf.error is not None:
            raise lsf.error
        lsf.taken.append(job)
        return str(len(lsf.taken)), f"{folder}/{len(lsf.taken)}.log"

    async def job_stati_bjobs(self):
        if isinstance(lsf.states, Exception):
            raise lsf.states
        return lsf.states, 0.1

    async def check_active_jobs(self, active_jobs):
        for job in active_jobs:
            yield job

    monkeypatch.setattr(Executor, "__post_init__", lambda self: None)
    monkeypatch.setattr(lsf_executor.lsf_submission, "submit", submit)
    monkeypatch.setattr(Executor, "job_stati_bjobs", job_stati_bjobs)
    monkeypatch.setattr(Executor, "check_active_jobs", check_active_jobs)
    monkeypatch.setattr(
        cluster_executor.subprocess, "run", lambda line, **_: lsf.killed.extend(line[1:])
    )
    return lsf


@pytest.fixture
def executor(lsf, clock):
    executor = PatientExecutor.__new__(PatientExecutor)
    executor.folder = OutputFolder("out")
    executor.report_job_submission = lambda info: None
    executor.logger, executor.lock, executor.active_jobs = logging.root, threading.Lock(), []
    executor.workflow = SimpleNamespace(
        remote_execution_settings=SimpleNamespace(seconds_between_status_checks=180)
    )
    executor._next_seconds_between_status_checks = None
    executor.failed = []
    executor.report_job_error = lambda job, msg: executor.failed.append((job.job, msg))
    executor.__post_init__()
    return executor


def look(executor):
    """What Snakemake's thread does again and again."""
    jobs, executor.active_jobs = executor.active_jobs, []

    async def active():
        return [job async for job in executor.check_active_jobs(jobs)]

    executor.active_jobs += asyncio.run(active())


def states(executor):
    return asyncio.run(executor.job_stati_bjobs())[0]


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("Communication time out. Job not submitted."),
        OSError(122, "Disk quota exceeded"),
    ],
)
def test_refused_jobs_are_tried_for_ten_minutes(executor, lsf, clock, error):
    first, second, third = Job(), Job(), Job()
    executor.run_job(first)
    lsf.error = error
    executor.run_job(second)
    executor.run_job(third)
    clock.now = 9 * MINUTE
    look(executor)
    assert [job.job for job in executor.active_jobs] == [third, second]
    assert executor.next_seconds_between_status_checks <= 30
    lsf.error = None
    look(executor)
    assert lsf.taken == [first, third, second]  # the order changes, as one may never be taken
    assert executor.active_jobs == [] and executor.failed == []


def test_refused_for_longer_is_a_failed_job(executor, lsf, clock):
    jobs = [Job(), Job(), Job()]
    executor.run_job(jobs[0])
    lsf.error = RefusedError("no such queue")
    for job in jobs[1:]:
        executor.run_job(job)
    clock.now = 10 * MINUTE + 1
    look(executor)
    assert [job for job, _ in executor.failed] == jobs[1:]
    assert executor.active_jobs == []
    assert "refused it for 10 min: no such queue" in executor.failed[0][1]


def test_a_run_whose_jobs_lsf_never_takes_ends(executor, lsf, clock):
    lsf.error = RefusedError("no such queue")
    executor.run_job(Job())
    clock.now = MINUTE - 1
    look(executor)
    clock.now = MINUTE + 1
    with pytest.raises(WorkflowError, match="refuses all jobs: no such queue"):
        look(executor)


def test_a_job_out_of_sight_runs_for_an_hour(executor, lsf, clock):
    lsf.states = {"1": "UNKWN", "2": "RUN"}
    assert states(executor) == {"1": "RUN", "2": "RUN"}
    clock.now = 50 * MINUTE
    lsf.states = {"1": "RUN", "2": "UNKWN"}  # LSF has found it
    assert states(executor) == {"1": "RUN", "2": "RUN"}
    clock.now = 100 * MINUTE
    lsf.states = {"1": "UNKWN", "2": "UNKWN"}
    assert states(executor) == {"1": "RUN", "2": "RUN"} and lsf.killed == []
    clock.now = 111 * MINUTE
    assert states(executor) == {"1": "RUN", "2": "EXIT"}
    assert states(executor) == {"1": "RUN", "2": "EXIT"}
    assert lsf.killed == ["2"]


@pytest.mark.parametrize("state", ["USUSP", "PSUSP"])
def test_a_suspended_job_is_ended_first(executor, lsf, clock, state):
    lsf.states = {"1": state}
    assert states(executor) == {"1": "RUN"} and states(executor) == {"1": "RUN"}
    assert lsf.killed == ["1"]
    lsf.states = {"1": "EXIT"}
    assert states(executor) == {"1": "EXIT"}


@pytest.mark.parametrize("answer", [None, OSError(11, "cannot fork"), IndexError("odd line")])
def test_no_answer_says_nothing_of_jobs(executor, lsf, answer):
    lsf.states = answer
    assert states(executor) == {}


def test_an_unknown_plugin_works_as_it_is():
    assert executor_for("0.3.3") is PatientExecutor
    assert executor_for("0.4.0") is executor_for("1.0.3.1") is LimitedExecutor
