"""What SGE, PBS and HTCondor answer, and what is made of it."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from snakemesh.clusters import queues

RUNNING = {
    "sge": (0, "job_number: 17\n"),
    "pbs": (0, "Job Id: 17.server\n    job_state = Q\n"),
    "condor": (0, "1\n"),
}
GONE = {
    "sge": (1, "Following jobs do not exist: \n17\n"),
    "pbs": (35, "qstat: 17.server Job has finished, use -x or -H\n"),
    "condor": (0, ""),
}
OTHER_ENDS = {
    "sge": (0, 'job_number: 17\nerror reason    1:  can\'t stat() "/out"\n'),
    "pbs": (0, "Job Id: 17.server\n    job_state = C\n    exit_status = 0\n"),
    "condor": (0, "5\n"),
}
SILENT = {
    "sge": (1, "error: unable to send message to qmaster\n"),
    "pbs": (111, "Connection refused\n"),
    "condor": (1, "Failed to fetch ads from: schedd\n"),
}
NUMBERS = {"sge": "17\n", "pbs": "17.server\n", "condor": "17.0 - 17.0\n"}


class Scheduler:
    """Answers its commands. answers: exit status and output of each; the last one is repeated."""

    def __init__(self, monkeypatch):
        self.answers, self.lines, self.given = [], [], []
        self.clock = SimpleNamespace(now=0.0)
        monkeypatch.setattr(queues.subprocess, "run", self.run)
        monkeypatch.setattr(queues.time, "monotonic", lambda: self.clock.now)
        monkeypatch.setattr(queues.time, "sleep", self.sleep)

    def run(self, line, input=None, env=None, **_):
        self.lines.append(line)
        self.given.append((input, env))
        code, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return SimpleNamespace(returncode=code, stdout=text, stderr="")

    def sleep(self, seconds):
        self.clock.now += seconds


@pytest.fixture
def scheduler(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Scheduler(monkeypatch)


def submitted(scheduler, queue) -> Path:
    """Submit a job, of number 17. Returns how its files begin."""
    scheduler.answers = [(0, NUMBERS[queue])]
    number = queues.submit(queue, 1500, 90, 1, [], "job.sh")
    assert number == "17"
    return Path(scheduler.given[-1][1]["SNAKEMESH_JOB"])


@pytest.mark.parametrize("queue", NUMBERS)
def test_how_a_job_is(scheduler, queue):
    files = submitted(scheduler, queue)
    for answer in (RUNNING, SILENT):
        scheduler.answers = [answer[queue]]
        assert queues.status(queue, "17") == "running"
    files.with_suffix(".log").touch()
    files.with_suffix(".exit").write_text("0\n")
    assert queues.status(queue, "17") == "success"
    assert list(files.parent.iterdir()) == []
    assert queues.status(queue, "17") == "failed"  # nothing is known of it


@pytest.mark.parametrize("queue", NUMBERS)
@pytest.mark.parametrize("answers", [GONE, OTHER_ENDS], ids=["gone", "ended"])
def test_one_that_was_killed_has_failed_after_a_minute(scheduler, queue, answers):
    """Until then, what it has written may be seen late."""
    files = submitted(scheduler, queue)
    files.with_suffix(".log").touch()
    scheduler.answers = [answers[queue]]
    assert queues.status(queue, "17") == queues.status(queue, "17") == "running"
    past = time.time() - 61
    os.utime(files.with_suffix(".gone"), (past, past))
    assert queues.status(queue, "17") == "failed"
    assert list(files.parent.iterdir()) == [files.with_suffix(".log")]


@pytest.mark.parametrize("status", ["1", "137"])
def test_one_that_says_that_it_failed(scheduler, status):
    files = submitted(scheduler, "sge")
    files.with_suffix(".exit").write_text(f"{status}\n")
    assert queues.status("sge", "17") == "failed"


def test_a_file_that_is_half_written_says_nothing(scheduler):
    files = submitted(scheduler, "sge")
    files.with_suffix(".exit").touch()
    scheduler.answers = [RUNNING["sge"]]
    assert queues.status("sge", "17") == "running"


@pytest.mark.parametrize("queue", NUMBERS)
def test_a_refused_job_is_submitted_for_ten_minutes(scheduler, queue):
    scheduler.answers = [(1, "too busy"), (0, "no number"), (0, NUMBERS[queue])]
    assert queues.submit(queue, 1500, 90, 1, [], "job.sh") == "17"
    scheduler.answers = [(1, "no such queue")]
    with pytest.raises(RuntimeError, match="refused a job for 10 min: no such queue"):
        queues.submit(queue, 1500, 90, 1, [], "job.sh")
    assert scheduler.clock.now > 600


def test_what_a_job_asks_for(scheduler):
    submitted(scheduler, "sge")
    line = " ".join(scheduler.lines[-1])
    assert "-l h_vmem=1500M,h_rt=0:90:0 job.sh" in line
    submitted(scheduler, "pbs")
    line = " ".join(scheduler.lines[-1])
    assert "-l select=1:ncpus=1:mem=1500mb -l walltime=0:90:0 job.sh" in line
    submitted(scheduler, "condor")
    description = scheduler.given[-1][0]
    assert "request_memory = 1500MB\n" in description and description.endswith("\nqueue\n")
    assert "EnteredCurrentStatus > 5400)" in description
    scheduler.answers = [(0, "17\n")]
    queues.submit("sge", 3001, 90, 2, ["-q", "long"], "job.sh")
    assert scheduler.lines[-1][-4:] == ["h_vmem=1501M,h_rt=0:90:0", "-q", "long", "job.sh"]
