"""Records as Snakemake makes them, and logs as jobs and clusters leave them."""

import json
import logging
import os
import re

import pytest

from snakemesh.console.failed_jobs import FailedJobsHandler
from snakemesh.cost.failure_reasons import MEMORY, TIME
from snakemesh.cost.shortages import Shortages
from snakemesh.errors import UserError
from snakemesh.output.folder import OutputFolder
from snakemesh.output.job_log import job_log

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
        self.shortages = Shortages()
        self.failures, self.again = [], []
        self.snakemake = logging.Logger("snakemake")
        self.snakemake.addHandler(
            FailedJobsHandler(
                self.folder,
                self.shortages,
                self.failures.append,
                lambda *told: self.again.append(told),
            )
        )

    def log(self, box):
        return self.folder.log(f"mesh_block/lod0/{box}.0123456789abcdef")

    def start(self, number, box, mem_mb=1000):
        facts = {"jobid": number, "log": [self.log(box)], "resources": {"mem_mb": mem_mb}}
        facts["wildcards"] = {"lod": "0", "box": box, "fingerprint": "0123456789abcdef"}
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

    def fail_group(self, boxes, cluster_logs, job="4711", says=None):
        infos = [{"jobid": number} for number in boxes]
        extra = {"event": "group_error", "job_error_info": infos, "aux_logs": cluster_logs}
        extra["cluster_says"] = says
        external = {} if job is None else {"external_jobid": job}
        self.snakemake.error("", extra=extra | external)
        for number, box in boxes.items():
            facts = {"jobid": number, "log": [self.log(box)], "rule_msg": None, "indent": True}
            self.snakemake.error("", extra={"event": "job_error", **facts})

    def factors(self, box):
        """How many times the memory and the time of before a job asks for now."""
        wildcards = {"lod": "0", "box": box, "fingerprint": "0123456789abcdef"}
        return tuple(self.shortages.factor("mesh_block", wildcards, r) for r in (MEMORY, TIME))

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
    monkeypatch.setattr(run.folder, "failures", "/dev/full")
    run.start(3, "0_0_0")
    run.fail(3, "0_0_0", raised="returned non-zero exit status 1.")
    assert len(run.failures) == 1


MORE_MEMORY, MORE_TIME, THE_SAME, MORE_OF_BOTH = (2, 1), (1, 2), (1, 1), (2, 2)
# What a cluster leaves in its log of a job, and what the next attempt asks for
CLUSTER_LOGS = {
    "LSF, memory": (
        "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit.\nExited with exit code "
        "137.",
        MORE_MEMORY,
    ),
    "LSF, time": (
        "TERM_RUNLIMIT: job killed after reaching LSF run time limit.\nExited with exit code 140.",
        MORE_TIME,
    ),
    "LSF, by its owner": ("TERM_OWNER: job killed by owner.\nExited with exit code 137.", THE_SAME),
    "LSF, killed for nothing known": ("Exited with exit code 137.", MORE_MEMORY),
    "LSF, its end": ("Exited with exit code 1.", THE_SAME),
    "a process of it is killed": (
        "Exited with exit code 1.\nRuleException:\nCalledProcessError in file mesh.smk, line 30:\n"
        "Command 'set -euo pipefail; python x' died with <Signals.SIGKILL: 9>.\nExiting",
        MORE_MEMORY,
    ),
    "Slurm, memory": ("slurmstepd: error: Detected 1 oom_kill event in StepId=4.0", MORE_MEMORY),
    "Slurm, time": (
        "slurmstepd: error: *** JOB 4 ON n CANCELLED AT 2024-01-01 DUE TO TIME LIMIT ***",
        MORE_TIME,
    ),
    "Slurm, its node": (
        "slurmstepd: error: *** JOB 4 ON n CANCELLED AT 2024-01-01 DUE TO NODE FAILURE ***",
        THE_SAME,
    ),
    "a quota": ("OSError: [Errno 122] Disk quota exceeded", THE_SAME),
    "nothing": ("", MORE_OF_BOTH),
    "no log, as the node is lost": (None, THE_SAME),
}


@pytest.mark.parametrize(("text", "factors"), CLUSTER_LOGS.values(), ids=CLUSTER_LOGS)
@pytest.mark.parametrize("is_group", [False, True], ids=["job", "group"])
def test_asks_for_more_of_what_was_short(run, tmp_path, text, factors, is_group):
    cluster_log = tmp_path / "17.log"
    if text is not None:
        cluster_log.write_text(text)
    boxes = {0: "0_0_0", 1: "0_0_1"}
    for number, box in boxes.items():
        run.start(number, box)
    if is_group:
        run.fail_group(boxes, [str(cluster_log)])
    else:
        message = f"LSF-job '17' failed, LSF status is: 'EXIT'{ADVICE}"
        run.fail(0, "0_0_0", message=message, cluster_logs=[str(cluster_log)])
    assert run.factors("0_0_0") == factors
    assert run.factors("0_0_1") == (factors if is_group else THE_SAME)


@pytest.mark.parametrize(
    ("state", "factors"),
    [
        ("OUT_OF_MEMORY", MORE_MEMORY),
        ("TIMEOUT", MORE_TIME),
        ("DEADLINE", MORE_TIME),
        ("NODE_FAIL", THE_SAME),
        ("CANCELLED", THE_SAME),
        ("FAILED", MORE_OF_BOTH),
    ],
)
@pytest.mark.parametrize("is_group", [False, True], ids=["job", "group"])
def test_what_slurm_says_where_its_log_is_empty(run, tmp_path, state, factors, is_group):
    log = tmp_path / "17.log"
    log.touch()
    run.start(0, "0_0_0")
    says = f"SLURM-job '17' failed, SLURM status is: '{state}'. "
    if is_group:
        run.fail_group({0: "0_0_0"}, [str(log)], says=says)
    else:
        run.fail(0, "0_0_0", message=f"{says}{ADVICE}", cluster_logs=[str(log)])
    assert run.factors("0_0_0") == factors


@pytest.mark.parametrize(
    ("raised", "factors"),
    [
        ("died with <Signals.SIGKILL: 9>.", MORE_MEMORY),
        ("returned non-zero exit status 137.", MORE_MEMORY),
        ("died with <Signals.SIGTERM: 15>.", THE_SAME),
        ("returned non-zero exit status 1.", THE_SAME),
    ],
)
def test_a_local_job_that_was_short(run, raised, factors):
    run.start(0, "0_0_0")
    run.fail(0, "0_0_0", raised=raised)
    assert run.factors("0_0_0") == factors


@pytest.mark.parametrize(
    ("error", "factors"),
    [
        (MemoryError(), MORE_MEMORY),
        (ValueError("Unable to allocate 3.2 GiB for an array"), MORE_MEMORY),
        (UserError("the volume cannot be read"), THE_SAME),
        (FileNotFoundError(2, "No such file or directory"), THE_SAME),
    ],
)
def test_a_job_that_says_what_it_was_short_of(run, tmp_path, error, factors):
    cluster_log = tmp_path / "17.log"
    cluster_log.write_text("Exited with exit code 1.")
    run.start(0, "0_0_0")
    run.write("0_0_0", error)
    run.fail(0, "0_0_0", message="failed", cluster_logs=[str(cluster_log)])
    assert run.factors("0_0_0") == factors


def test_a_lost_file_asks_for_the_same(run):
    test_a_file_that_is_missing(run)
    assert run.factors("0_0_0") == THE_SAME


def test_what_an_earlier_attempt_left_in_the_log_of_the_cluster(run, tmp_path):
    cluster_log = tmp_path / "run.log"
    message = f"LSF-job '17' failed, LSF status is: 'EXIT'{ADVICE}"
    ends = (
        ("TERM_MEMLIMIT: job killed.\n", "TERM_MEMLIMIT: job killed.", MORE_MEMORY),
        ("TERM_RUNLIMIT: job killed.\n", "TERM_RUNLIMIT: job killed.", (2, 2)),
        ("", "LSF-job '17' failed, LSF status is: 'EXIT'", (4, 4)),
        ("Exited with exit code 9.\n", "Exited with exit code 9.", (4, 4)),
    )
    for text, reason, factors in ends:
        run.start(0, "0_0_0")
        with open(cluster_log, "a") as file:
            file.write(text)
        run.fail(0, "0_0_0", message=message, cluster_logs=[str(cluster_log)])
        assert (run.failures[-1].reason, run.factors("0_0_0")) == (reason, factors)
