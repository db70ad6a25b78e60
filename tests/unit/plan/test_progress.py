import logging
import re

import pytest

from snakemesh.plan import progress
from snakemesh.plan.estimates import Work
from snakemesh.plan.progress import ProgressHandler


@pytest.fixture
def run(monkeypatch):
    """A run of three jobs that take 30, 60 and 10 seconds. `finish` sets the clock.

    Returns a function that finishes a job at a time in seconds; the reported lines; the log.
    """
    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    said = []
    works = {1: Work(30, 3_000_000), 2: Work(60, 6_000_000), 7: Work(10, 0)}
    log = logging.Logger("run")
    log.addHandler(ProgressHandler(works, said.append, lambda: said.append("the end")))

    def finish(job, at):
        clock[0] = 1000.0 + at
        log.info("Finished jobid: %s", job, extra={"job_id": job})
        return said[-1] if said else None

    return finish, said, log


def test_by_work_not_by_jobs(run):
    finish, said, _ = run
    line = finish(1, at=15)
    assert line.startswith("progress: 30 % of the work, 1 of 3 jobs, 0.2 Mvoxel/s, 0:00:35 to go,")
    assert re.search(r"until [A-Z][a-z]+day \d\d:\d\d$", line)
    assert "90 % of the work, 2 of 3 jobs, 0.3 Mvoxel/s, 0:00:03 to go" in finish(2, at=30)
    assert finish(7, at=31) == "the end"
    line = "progress: 100 % of the work, 3 of 3 jobs, 0.29 Mvoxel/s, done in 0:00:31"
    assert said[2:] == [line, "the end"]


def test_not_more_than_a_line_every_ten_seconds(run):
    finish, said, _ = run
    assert finish(1, at=3) is None
    assert finish(7, at=9) is None
    finish(2, at=12)
    assert "100 %" in said[0] and len(said) == 2


def test_what_is_no_finished_job_is_passed_over(run):
    finish, said, log = run
    log.info("Select jobs to execute...")
    finish(99, at=60)
    finish(1, at=61)
    finish(1, at=90)
    assert len(said) == 1
