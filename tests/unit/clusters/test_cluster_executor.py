"""What a run does with the jobs that a run before it has left, on a cluster that is a set."""

import json
import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from snakemesh.clusters import cluster_executor
from snakemesh.clusters.cluster_executor import ClusterExecutor, products_of, refresh_folders
from snakemesh.clusters.submitted_jobs import (
    Submitted,
    add_submitted,
    begin_submitted,
    read_submitted,
)
from snakemesh.output.folder import OutputFolder


class Job:
    """A job of Snakemake that makes one file, or a group of such jobs."""

    def __init__(self, output, *jobs):
        self.output, self.jobs = [str(output)], jobs
        self.log = [f"out/logs/mesh_block/{output}.log"]
        self.resources = {}

    def is_group(self):
        return bool(self.jobs)


class Cluster:
    """The jobs that it knows: alive ones, those that a run has ended. None: it does not answer."""

    def __init__(self):
        self.alive, self.ended = set(), []


class Plugin(RemoteExecutor):
    """Stands for the executor of a plugin."""

    def __post_init__(self):
        self.run_uuid = "new"

    def run_jobs(self, jobs):
        self.new += jobs

    def report_job_submission(self, job_info, register_job=True):
        self.awaited.append(job_info)

    def report_job_success(self, job_info):
        self.done.append(job_info.job)

    def run_job_pre(self, job):
        pass


class Executor(ClusterExecutor, Plugin):
    scheduler = "lsf"
    folder = OutputFolder("out")

    def alive_jobs(self):
        return self.cluster.alive

    def end_jobs(self, jobs):
        self.cluster.ended += jobs
        self.cluster.alive -= set(jobs)

    def aux_of(self, log):
        return {"lsf_logfile": log}

    run_job = cancel_jobs = check_active_jobs = None


@pytest.fixture(autouse=True)
def clock(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    clock = SimpleNamespace(now=1000.0, slept=[])
    time = SimpleNamespace(monotonic=lambda: clock.now, sleep=clock.slept.append)
    monkeypatch.setattr(cluster_executor, "time", time)
    return clock


def executor(cluster, needed, groups=()):
    """An executor of a run that needs these jobs."""
    made = Executor.__new__(Executor)
    made.cluster, made.new, made.awaited, made.done = cluster, [], [], []
    made.logger = logging.root
    group_of = {job: group for group in groups for job in group.jobs}
    made.dag = SimpleNamespace(get_job_group=group_of.get, needrun_jobs=lambda: needed)
    made.__post_init__()
    return made


def left(*jobs, scheduler="lsf"):
    """Leave a run behind that has submitted these jobs, whose numbers are 1, 2, ..."""
    begin_submitted(Executor.folder.submitted, scheduler, "old", ())
    for number, job in enumerate(jobs, 1):
        add_submitted(
            Executor.folder.submitted, Submitted(str(number), products_of(job), f"{number}.log")
        )


def test_nothing_was_left():
    cluster, jobs = Cluster(), [Job("a"), Job("b")]
    run = executor(cluster, jobs)
    run.run_jobs(jobs)
    assert (run.new, run.run_uuid, cluster.ended) == (jobs, "new", [])


def test_what_is_needed_is_awaited_and_the_rest_is_ended(caplog):
    """5 was submitted just before the run before was killed: its number was never kept."""
    a, b, c, old, gone = (Job(name) for name in ("a", "b", "c", "old", "gone"))
    left(a, b, old, gone)
    cluster = Cluster()
    cluster.alive = {"1", "2", "3", "5"}
    run = executor(cluster, [a, b, c, gone])
    run.run_jobs([a, c, gone])
    assert run.run_uuid == "old"  # jobs are asked for by this name
    assert [(info.job, info.external_jobid) for info in run.awaited] == [(a, "1")]
    assert run.awaited[0].aux == {"lsf_logfile": "1.log"}
    assert run.new == [c, gone] and cluster.ended == ["3", "5"]
    assert "jobs of the previous run: 2 awaited, 2 ended" in caplog.text
    run.run_jobs([b])
    run.run_jobs([b])  # the second attempt is a new job
    assert [info.job for info in run.awaited] == [a, b] and run.new == [c, gone, b]


def test_a_group_is_awaited_if_it_makes_just_the_same():
    jobs = [Job("a"), Job("b"), Job("c"), Job("d")]
    same, other, new = Job("", *jobs[:2]), Job("", *jobs[2:]), Job("", *jobs[2:3])
    left(same, other)
    cluster = Cluster()
    cluster.alive = {"1", "2"}
    run = executor(cluster, jobs[:3], [same, new])
    run.run_jobs([same, new])
    assert [info.job for info in run.awaited] == [same]
    assert run.new == [new] and cluster.ended == ["2"]


def test_one_that_has_ended_since(clock):
    """It is done if it has left its file, and is submitted again if it has not."""
    a, b, first = Job("a"), Job("b"), Job("first")
    left(a, b)
    cluster = Cluster()
    cluster.alive = {"1", "2"}
    run = executor(cluster, [a, b, first])
    run.run_jobs([first])
    cluster.alive.clear()
    Path("a").touch()
    clock.now += 31
    run.run_jobs([a, b])
    assert (run.done, run.new, run.awaited) == ([a], [first, b], [])


def test_a_file_of_before_is_no_sign_of_success():
    """A damaged file is there and has to be made again: the old job may be ended by now."""
    a = Job("a")
    left(a)
    Path("a").touch()
    cluster = Cluster()
    cluster.alive = {"1"}
    run = executor(cluster, [a])
    run.run_jobs([a])
    assert (run.new, run.done, cluster.ended) == ([a], [], ["1"])


def test_a_silent_cluster(clock, caplog):
    a = Job("a")
    left(a)
    cluster = Cluster()
    cluster.alive = None
    run = executor(cluster, [a])
    run.run_jobs([a])
    assert run.new == [a] and sum(clock.slept) == 60
    assert "does not say which jobs of the previous run are left" in caplog.text


def test_another_scheduler_knows_nothing_of_them():
    a = Job("a")
    left(a, scheduler="slurm")
    run = executor(Cluster(), [a])
    run.run_jobs([a])
    assert (run.new, run.run_uuid) == ([a], "new")


def test_jobs_of_another_workflow_are_left_alone():
    theirs = Job("theirs")
    theirs.log = ["theirs.log"]
    run = executor(Cluster(), [theirs])
    run.run_jobs([theirs])
    run.report_job_submission(SubmittedJobInfo(theirs, external_jobid="7"))
    assert run.new == [theirs] and not os.path.exists(run.folder.submitted)


def test_what_is_submitted_is_kept():
    a, run = Job("a"), executor(Cluster(), [])
    run.run_jobs([a])
    run.report_job_submission(SubmittedJobInfo(a, "17", {"slurm_logfile": Path("17.log")}))
    kept = read_submitted(run.folder.submitted)
    assert (kept.scheduler, kept.name) == ("lsf", "new")
    assert kept.jobs == {"17": Submitted("17", products_of(a), "17.log")}


def test_what_was_cut_short_is_not_kept():
    a, b = Job("a"), Job("b")
    left(a, b)
    path = Path(Executor.folder.submitted)
    text = path.read_text()
    for length in range(len(text)):
        path.write_text(text[:length])
        kept = read_submitted(str(path))
        jobs = text[:length].count("\n") - 1 + (text[length] == "\n")
        assert kept is None if jobs < 0 else list(kept.jobs) == ["1", "2"][:jobs]
    for odd in ('{"scheduler": "lsf"}\n', "[]\n", text.replace('"old"', "1"), ""):
        path.write_text(odd)
        assert read_submitted(str(path)) is None


def test_a_copy_of_an_output_leaves_the_jobs_of_the_original_alone(monkeypatch):
    a = Job("a")
    left(a)
    shutil.copytree("out", "copy")
    os.symlink("out", "link")
    assert read_submitted("link/work/submitted.jsonl").name == "old"
    cluster = Cluster()
    cluster.alive = {"1"}
    monkeypatch.setattr(Executor, "folder", OutputFolder("copy"))
    a.log = ["copy/logs/mesh_block/a.log"]
    run = executor(cluster, [a])
    run.run_jobs([a])
    assert (run.new, cluster.ended, run.run_uuid) == ([a], [], "new")


def test_logs_that_the_run_before_could_not_remove():
    a, b = Job("a"), Job("b")
    folder = Path("out/logs/lsf").absolute()
    folder.mkdir(parents=True)
    begin_submitted(Executor.folder.submitted, "lsf", "old", ())
    for number, job in (("1", a), ("2", b)):
        add_submitted(
            Executor.folder.submitted, Submitted(number, products_of(job), f"{folder}/{number}.log")
        )
    for name in ("1.log", "2.log", "3.log", "failed.log"):
        (folder / name).touch()
    line = json.dumps({"log": f"{folder}/failed.log"})
    Path(Executor.folder.failures).write_text(f"{line}\n")
    cluster = Cluster()
    cluster.alive = {"1"}
    executor(cluster, [a, b]).run_jobs([b])
    assert sorted(path.name for path in folder.iterdir()) == ["1.log", "failed.log"]


def test_nothing_can_be_kept():
    """A full disk or a quota does not end a run for this."""
    a, run = Job("a"), executor(Cluster(), [])
    run.folder = OutputFolder("out")
    run.folder.submitted = "/proc/nothing/submitted.jsonl"
    run.run_jobs([a])
    run.report_job_submission(SubmittedJobInfo(a, "17", {}))
    assert run.new == [a]


def test_folders_that_are_looked_into(monkeypatch):
    opened, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: opened.append(path) or real(path))
    os.mkdir("there")
    refresh_folders(["there/a", "there/b", "gone/c", "d"])
    assert sorted(opened) == [".", "gone", "there"]
