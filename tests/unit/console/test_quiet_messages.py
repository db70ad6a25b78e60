"""What of Snakemake's messages, made by its own logging, is shown and what is only in its log."""

import io
import logging

import pytest
from snakemake.exceptions import WorkflowError, print_exception
from snakemake.logging import LoggerManager
from snakemake.settings.types import OutputSettings

from snakemesh.console import watch
from snakemesh.console.quiet import SHOWN, quieted
from snakemesh.console.watch import watch_run
from snakemesh.cost.estimates import Work
from snakemesh.cost.shortages import Shortages
from snakemesh.output.folder import OutputFolder

EXIT_CODE = (
    'RuleException:\nCalledProcessError in file "mesh.smk", line 26:\n'
    "Command 'python mesh_block.py' returned non-zero exit status 1."
)


# What Snakemake says of a workflow that starts
WORKFLOW = {
    *("datetime", "workflow_id", "platform", "host", "user", "cmd", "cwd", "basedir", "rundir"),
    *("snakemake_version", "python_version", "snakefile_main", "configfiles", "config_md5"),
}


class Run:
    """Snakemake's logging, made quiet: its terminal, and a log file with everything.

    It has the jobs 0 to 49 of rule mesh_block.
    """

    def __init__(self, tmp_path, monkeypatch):
        self.screen = io.StringIO()
        monkeypatch.setattr("sys.stderr", self.screen)
        monkeypatch.chdir(tmp_path)
        self.log = logging.getLogger("snakemake.logging")
        self.manager = LoggerManager(self.log, OutputSettings(show_failed_logs=True))
        self.manager.setup_logfile()
        self.quiet = quieted(self.log)
        self.folder = OutputFolder("out")
        self.ends = []

    def start(self):
        self.event("workflow_started", **dict.fromkeys(WORKFLOW, "x"))
        works = {number: Work(1, 10**6) for number in range(50)}
        end = lambda: self.ends.append(1)  # noqa: E731
        watch_run(self.log, self.quiet, self.folder, works, Shortages(), end)

    def event(self, name, text="", level=logging.INFO, **facts):
        self.log.log(level, text, extra={"event": name, **facts})

    def job(self, number):
        facts = dict.fromkeys(("rule_msg", "benchmark", "reason", "priority", "shellcmd"))
        facts |= {"rule_name": "mesh_block", "local": True, "input": [], "output": []}
        facts |= {"is_checkpoint": False, "threads": 1, "log": [self.path(number)]}
        facts["wildcards"] = {"lod": "0", "box": f"0_0_{number}", "fingerprint": "0"}
        facts["resources"] = {"mem_mb": 2500, "runtime": 20}
        self.event("job_info", jobid=number, **facts)

    def fail(self, number):
        self.event("error", EXIT_CODE, logging.ERROR, exception="RuleException")
        facts = dict.fromkeys(("rule_msg", "conda_env", "shellcmd"))
        facts |= {"rule_name": "mesh_block", "input": [], "output": [], "aux": {}}
        self.event(
            "job_error", "failed", logging.ERROR, jobid=number, log=[self.path(number)], **facts
        )

    def path(self, number):
        return self.folder.log(f"mesh_block/lod0/0_0_{number}.0")

    @property
    def said(self):
        return self.screen.getvalue()

    @property
    def logged(self):
        (path,) = self.manager.get_logfile()
        with open(path) as file:
            return file.read()


@pytest.fixture
def run(tmp_path, monkeypatch):
    made = Run(tmp_path, monkeypatch)
    yield made
    made.manager.stop()


def test_until_a_workflow_starts_nothing_is_kept_back(run):
    run.log.info("Unlocking working directory.")
    assert run.said == "Unlocking working directory.\n"


def test_a_job_that_succeeds_says_nothing(run):
    run.start()
    run.log.info("Select jobs to execute...")
    run.job(3)
    run.log.info("Job 3 has been submitted with LSF jobid 17 (log: 17.log).")
    run.event("job_finished", "Finished jobid: 3 (Rule: mesh_block)", job_id=3)
    run.event("progress", done=1, total=50)
    assert run.said == ""
    for text in ("SNAKEMAKE", "rule mesh_block:", "LSF jobid 17", "Finished jobid: 3", "1 of 50"):
        assert text in run.logged


def test_a_failure_and_another_attempt(run):
    run.start()
    run.job(3)
    run.fail(3)
    failed = "failed: mesh_block lod 0 0_0_3: its script ended with exit status 1\n"
    assert run.said == failed
    run.job(3)
    again = "tried again: mesh_block lod 0 0_0_3, attempt 2, with 2.5 GB of memory and 20 minutes\n"
    assert run.said == failed + again
    run.fail(3)
    assert run.said.endswith(
        "failed: mesh_block lod 0 0_0_3, attempt 2: its script ended with exit status 1\n"
    )
    assert "CalledProcessError in file" in run.logged and "Error in rule mesh_block" in run.logged


def test_of_many_failures_the_first_are_told(run):
    run.start()
    for number in range(50):
        run.job(number)
        run.fail(number)
    lines = run.said.splitlines()
    assert len(lines) == watch.MOST_TOLD + 1
    assert lines[-1] == "more jobs fail; out/logs/failures.jsonl lists them all"
    run.log.error("Exiting because a job execution failed. Look above for error messages")
    verdict = "50 jobs failed; out/logs/failures.jsonl lists all failures. The same command tries"
    assert run.said.splitlines()[-1].startswith(verdict)
    with open("out/logs/failures.jsonl") as file:
        assert len(file.readlines()) == 50


def test_what_snakemake_itself_has_to_say(run):
    run.start()
    print_exception(WorkflowError("the folder is locked"))
    for _ in range(3):
        run.log.warning("No SLURM account given, trying to guess.")
    texts = ["Nothing to be done (all requested files are present).", "Complete log(s): x.log"]
    for text in texts:
        run.log.info(text)
    run.log.error("Exiting because a job execution failed. Look above for error messages")
    assert run.said.splitlines() == [
        "WorkflowError:",
        "the folder is locked",
        "No SLURM account given, trying to guess.",
        *texts,
        "Exiting because a job execution failed. Look above for error messages",
    ]


def test_what_ctrl_c_ends_has_not_failed(run):
    run.start()
    run.job(3)
    run.job(4)
    run.event("error", EXIT_CODE.replace("status 1", "status 130"), logging.ERROR)
    run.event("job_error", "", logging.ERROR, jobid=3, log=[run.path(3)], rule_msg=None)
    run.log.info("Terminating processes on user request, this might take some time.")
    run.fail(4)
    assert run.said == "Terminating processes on user request, this might take some time.\n"


def test_the_end(run):
    run.start()
    for number in range(50):
        run.event("job_finished", "", job_id=number)
    assert run.said.startswith("progress: 100 % of the work, 50 jobs, ") and run.ends == [1]


def test_where_snakemake_does_not_write_to_the_terminal(run):
    """As with --logger."""
    log = logging.Logger("other")
    log.addHandler(logging.StreamHandler())
    assert quieted(log) is None and len(log.handlers) == 1


def test_the_table_in_the_log_of_a_verification(tmp_path):
    log = tmp_path / "verify_table.log"
    assert watch.verify_report(str(log)) == ""
    log.write_text("Traceback (most recent call last):\n  File ...\nKeyError: 'labels'\n")
    assert watch.verify_report(str(log)) == ""
    log.write_text("a warning\nverify: 47 labels\n  all  1\n\n  ok\nverify_table: not sound\n")
    assert watch.verify_report(str(log)) == "verify: 47 labels\n  all  1\n\n  ok"


def test_ours_are_shown(run):
    run.start()
    run.log.info("The plan", extra=SHOWN)
    assert run.said == "The plan\n"
