"""Records as Snakemake makes them, and logs as jobs and clusters leave them."""

import json
import logging
import os
import re

import pytest

from snakemesh.errors import UserError
from snakemesh.output.folder import OutputFolder
from snakemesh.output.job_log import job_log
from snakemesh.plan.failed_jobs import FailedJobsHandler

FAILED = (
    'RuleException:\nCalledProcessError in file "rules/mesh.smk", line 40:\n'
    "Command 'set -euo pipefail;  python tmp.mesh_block.py' {}"
)
ADVICE = (
    "For further error details see the cluster/cloud log and the log files of the involved rule(s)."
)


class Run:
    """Logs what Snakemake logs. failures and again: what the handler has told of."""

    def __init__(self, folder):
        self.folder = OutputFolder(str(folder))
        self.failures, self.again = [], []
        self.snakemake = logging.Logger("snakemake")
        self.snakemake.addHandler(
            FailedJobsHandler(
                self.folder, self.failures.append, lambda *told: self.again.append(told)
            )
        )

    def log(self, box):
        return self.folder.log(f"mesh_block/lod0/{box}.0123456789abcdef")

    def start(self, number, box, mem_mb=1000):
        facts = {"jobid": number, "log": [self.log(box)], "resources": {"mem_mb": mem_mb}}
        facts["wildcards"] = {"lod": "0", "box": box, "made_from": "0123456789abcdef"}
        self.snakemake.info("", extra={"event": "job_info", **facts})

    def write(self, box, error=None):
        """Do a job, which writes its log."""
        path = self.folder.root + "/logs/mesh_block/lod0"
        os.makedirs(path, exist_ok=True)
        try:
            with job_log(self.log(box), f"mesh_block lod 0 {box}"):
                if error is not None:
                    raise error
        except SystemExit:
            pass

    def fail(self, number, box, raised=None, message=None, cluster_logs=()):
        if raised is not None:
            extra = {"event": "error", "exception": "RuleException"}
            self.snakemake.error(FAILED.format(raised), extra=extra)
        facts = {"jobid": number, "log": [self.log(box), *cluster_logs], "rule_msg": message}
        self.snakemake.error("", extra={"event": "job_error", "indent": False, **facts})

    def fail_group(self, boxes, cluster_logs, job="4711"):
        infos = [{"jobid": number} for number in boxes]
        extra = {"event": "group_error", "job_error_info": infos, "aux_logs": cluster_logs}
        external = {} if job is None else {"external_jobid": job}
        self.snakemake.error("", extra=extra | external)
        for number, box in boxes.items():
            facts = {"jobid": number, "log": [self.log(box)], "rule_msg": None, "indent": True}
            self.snakemake.error("", extra={"event": "job_error", **facts})

    @property
    def listed(self):
        with open(self.folder.failures) as file:
            return [json.loads(line) for line in file]

    def said(self):
        """Job, attempt, reason and log of each failure."""
        return [(f.job, f.attempt, f.reason, f.log) for f in self.failures]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "out")


def test_the_line_that_a_job_leaves(run):
    run.start(3, "0_0_0")
    run.write("0_0_0", UserError("the volume cannot be read"))
    run.fail(3, "0_0_0", raised="returned non-zero exit status 1.")
    (line,) = run.listed
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", line.pop("time"))
    assert line == {
        "rule": "mesh_block",
        "job": "lod 0 0_0_0",
        "attempt": 1,
        "reason": "the volume cannot be read",
        "log": run.log("0_0_0"),
    }


def test_of_a_traceback_the_line_that_names_the_error(run):
    run.start(3, "0_0_0")
    run.write("0_0_0", ValueError("a chunk is odd:\n  its shape\nis not right"))
    run.fail(3, "0_0_0", raised="returned non-zero exit status 1.")
    assert run.said()[0][2] == "ValueError: a chunk is odd:"


def test_attempts_and_the_log_of_an_earlier_one(run):
    """What an earlier attempt or an earlier run has left in the log is no reason."""
    run.write("0_0_0", UserError("of an earlier run"))
    run.start(3, "0_0_0")
    run.fail(3, "0_0_0", raised="died with <Signals.SIGKILL: 9>.")
    assert run.again == []
    run.start(3, "0_0_0", mem_mb=2000)
    ((attempt, resources),) = run.again
    assert (attempt.name, attempt.number) == ("mesh_block lod 0 0_0_0", 2)
    assert resources == {"mem_mb": 2000}
    run.write("0_0_0", UserError("of the second attempt"))
    run.fail(3, "0_0_0", raised="returned non-zero exit status 1.")
    first, second = run.said()
    killed = "its process was ended by the signal SIGKILL, as the system does when memory runs out"
    assert first == ("lod 0 0_0_0", 1, killed, "")
    assert second == ("lod 0 0_0_0", 2, "of the second attempt", run.log("0_0_0"))
    assert [line["attempt"] for line in run.listed] == [1, 2]
    assert len(run.again) == 1


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("returned non-zero exit status 137.", "its process was ended by the signal SIGKILL, as"),
        ("returned non-zero exit status 143.", "its process was ended by the signal SIGTERM"),
        ("returned non-zero exit status 1.", "its script ended with exit status 1"),
        ("\nWorkflowError: another plan\n", "WorkflowError: another plan"),
    ],
)
def test_a_local_job_without_a_log(run, raised, reason):
    run.start(3, "0_0_0")
    run.fail(3, "0_0_0", raised=raised)
    assert run.said()[0][2].startswith(reason)


def test_a_cluster_job_says_it_itself_or_its_cluster_does(run, tmp_path):
    cluster_log = tmp_path / "17.log"
    message = f"LSF-job '17' failed, LSF status is: 'EXIT'{ADVICE}"
    for number, box in enumerate(("0_0_0", "0_0_1", "0_0_2")):
        run.start(number, box)
    run.write("0_0_0", UserError("the volume cannot be read"))
    run.fail(0, "0_0_0", message=message, cluster_logs=[str(cluster_log)])
    run.fail(1, "0_0_1", message=message, cluster_logs=[str(cluster_log)])
    cluster_log.write_text("Sender: LSF\n\nTERM_MEMLIMIT: job killed after reaching LSF limit.\n\n")
    run.fail(2, "0_0_2", message=message, cluster_logs=[str(cluster_log)])
    assert run.said() == [
        ("lod 0 0_0_0", 1, "the volume cannot be read", run.log("0_0_0")),
        ("lod 0 0_0_1", 1, "LSF-job '17' failed, LSF status is: 'EXIT'", ""),
        ("lod 0 0_0_2", 1, "TERM_MEMLIMIT: job killed after reaching LSF limit.", str(cluster_log)),
    ]


def test_of_a_group_the_jobs_that_failed(run, tmp_path):
    """Snakemake reports every job of a group: those that ended well too."""
    boxes = {4: "0_0_0", 5: "0_0_1", 6: "0_0_2"}
    for number, box in boxes.items():
        run.start(number, box)
    run.write("0_0_0")
    run.write("0_0_1", UserError("the volume cannot be read"))
    run.fail_group(boxes, [])
    assert run.said() == [("lod 0 0_0_1", 1, "the volume cannot be read", run.log("0_0_1"))]


def test_of_a_group_that_was_killed_the_job_that_had_begun(run, tmp_path):
    boxes = {4: "0_0_0", 5: "0_0_1", 6: "0_0_2"}
    for number, box in boxes.items():
        run.start(number, box)
    run.write("0_0_0")
    with open(run.log("0_0_2"), "w"):
        pass  # as job_log does first
    cluster_log = tmp_path / "group.log"
    cluster_log.write_text(
        "slurmstepd: error: Detected 1 oom_kill event in StepId=4.0\n"
        "srun: error: localhost: task 0: Killed\n"
    )
    run.fail_group(boxes, [str(cluster_log)])
    reason = "slurmstepd: error: Detected 1 oom_kill event in StepId=4.0"
    assert run.said() == [("lod 0 0_0_2", 1, reason, str(cluster_log))]
    cluster_log.unlink()
    run.fail_group(boxes, [str(cluster_log)])
    assert run.said()[1] == (
        "lod 0 0_0_2",
        1,
        "the cluster's job 4711 failed",
        run.log("0_0_2"),
    )
    run.fail_group(boxes, [], job=None)
    assert run.said()[2][2] == "the cluster refused its group; --verbose shows the command"


def test_a_file_that_is_missing(run):
    run.start(3, "0_0_0")
    text = (
        "MissingOutputException in rule mesh_block in file rules/mesh.smk, line 20:\n"
        "Job 3 completed successfully, but some output files are missing. Missing files after 5 "
        "seconds.:\nwork/0_0_0.fragments (missing locally)"
    )
    run.snakemake.error(text, extra={"event": "error", "exception": "MissingOutputException"})
    (said,) = run.said()
    assert said[2].endswith("a file is missing: work/0_0_0.fragments (missing locally)")


def test_jobs_of_another_workflow(run):
    facts = {"jobid": 1, "log": ["theirs.log"], "resources": {}, "wildcards": {}}
    run.snakemake.info("", extra={"event": "job_info", **facts})
    facts = {"jobid": 1, "log": ["theirs.log"], "rule_msg": None}
    run.snakemake.error("", extra={"event": "job_error", **facts})
    assert run.failures == []


def test_a_disk_that_is_full(run, monkeypatch):
    """The list cannot be written, but the failure is told."""
    monkeypatch.setattr(OutputFolder, "failures", "/dev/full")
    run.start(3, "0_0_0")
    run.fail(3, "0_0_0", raised="returned non-zero exit status 1.")
    assert len(run.failures) == 1
