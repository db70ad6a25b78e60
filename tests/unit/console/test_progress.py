import logging
import re

import pytest

from snakemesh.console import progress
from snakemesh.console.progress import ProgressHandler
from snakemesh.cost.estimates import Work


class Run:
    """A run of three jobs that take 30, 60 and 10 seconds.

    said: the lines, and at last "the end".
    """

    def __init__(self, monkeypatch):
        self.now, self.failed, self.said = 0, 0, []
        monkeypatch.setattr(progress.time, "monotonic", lambda: 1000.0 + self.now)
        works = {1: Work(30, 3_000_000), 2: Work(60, 6_000_000), 7: Work(10, 0)}
        self.handler = ProgressHandler(
            works, lambda: self.failed, self.said.append, lambda: self.said.append("the end"), 10
        )
        self.log = logging.Logger("run")
        self.log.addHandler(self.handler)

    def start(self, job, local=True):
        self.log.info("", extra={"event": "job_info", "jobid": job, "local": local})

    def fail(self, job):
        self.log.error("", extra={"event": "job_error", "jobid": job})

    def finish(self, job, at):
        """Finish a job at a time in seconds. Returns the latest line."""
        self.now = at
        self.log.info("Finished", extra={"event": "job_finished", "job_id": job})
        return self.said[-1] if self.said else None

    def line(self, at):
        self.now = at
        return self.handler.line()


@pytest.fixture
def run(monkeypatch):
    return Run(monkeypatch)


def test_by_work_not_by_jobs(run):
    line = run.finish(1, at=15)
    assert line.startswith("progress: 30 % of the work, 0.2 Mvoxel/s, 0 jobs running, 0 failed, ")
    assert re.search(r"until [A-Z][a-z]{2} \d\d:\d\d$", line)
    assert "90 % of the work, 0.3 Mvoxel/s, " in run.finish(2, at=30)
    assert run.finish(7, at=31) == "the end"
    line = "progress: 100 % of the work, 3 jobs, 0.29 Mvoxel/s, done in 0:00:31"
    assert run.said[2:] == [line, "the end"]


def test_not_more_than_a_line_every_ten_seconds(run):
    assert run.finish(1, at=3) is None
    assert run.finish(7, at=9) is None
    run.finish(2, at=12)
    assert "100 %" in run.said[0] and len(run.said) == 2


def test_what_is_no_finished_job_is_passed_over(run):
    run.log.info("Select jobs to execute...")
    run.finish(99, at=60)
    run.finish(1, at=61)
    run.finish(1, at=90)
    assert len(run.said) == 1


def test_jobs_that_run_and_jobs_that_have_failed(run):
    assert run.line(at=5) == "0 % of the work, 0 jobs running, 0 failed, 0:00:05 so far"
    run.start(1)
    run.start(99)
    assert "1 job running, 0 failed" in run.line(at=6)
    run.start(2)
    assert "2 jobs running" in run.line(at=7)
    run.fail(2)
    run.failed = 1
    assert "1 job running, 1 failed" in run.line(at=8)
    run.start(2, local=False)  # a cluster does not say when it starts a job
    assert "2 jobs submitted" in run.line(at=9)
    run.finish(2, at=10)
    assert "1 job running" in run.line(at=11)


def test_the_end_is_expected_when_it_was_when_a_job_was_done(run, monkeypatch):
    """Time in which nothing is heard does not put it off, until it is over."""

    class Clock(progress.datetime):
        @classmethod
        def now(cls):
            return cls(2026, 1, 1, 12) + progress.timedelta(seconds=60 * run.now)

    monkeypatch.setattr(progress, "datetime", Clock)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 1000.0 + 60 * (run.now))
    run.finish(1, at=15)
    ends = [run.line(at=minute)[-5:] for minute in (15, 40, 50, 55)]
    assert ends == ["12:50", "12:50", "12:50", "12:55"]
