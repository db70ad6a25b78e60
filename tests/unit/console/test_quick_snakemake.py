"""What Snakemake asks when it plans depends on the number of rules, not on that of the jobs."""

import functools
import gc
import inspect
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import snakemake.cli  # the modules of snakemake import each other: this one comes first
import snakemake.rules
from snakemake.common import get_function_params, overwrite_function_params
from snakemake.resources import Resource
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.sourcecache import infer_source_file

from snakemesh.console.quick_snakemake import end_at_once, skip_notebooks, use_quick_planning

AGAIN = "_schedule_reevalutation"
REPOSITORY = Path(__file__).resolve().parents[3]
ENVIRONMENT = os.environ | {"PYTHONPATH": "src"}
# Plans a run and prints how often signatures are taken and files of the workflow are opened.
COUNTING = """
import inspect, sys
import snakemake.cli
from snakemake.sourcecache import SourceCache
counts = {"signatures": 0, "files": 0}
def counted(name, function):
    def call(*args, **kwargs):
        counts[name] += 1
        return function(*args, **kwargs)
    return call
inspect.signature = counted("signatures", inspect.signature)
SourceCache.open = counted("files", SourceCache.open)
try:
    snakemake.cli.main(sys.argv[1:])
finally:
    print(counts)
    print("imported:", *{"snakemake.script", "nbformat"} & set(sys.modules))
"""


def dry_run(folder: Path, side: int) -> str:
    """What a dry run prints, for a volume of `side` voxels a side, and what it has imported."""
    from bench_plan import write_volume

    write_volume(folder / f"{side}.zarr", side)
    config = [f"input_path={folder}/{side}.zarr", f"output_directory={folder}/out{side}"]
    line = [sys.executable, "-c", COUNTING, "-n", "--cores", "1", "--config", "num_lods=4", *config]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def planned(folder: Path, side: int) -> tuple[int, int, int]:
    """Jobs of a dry run, signatures that were taken for it, and files that were opened."""
    said = dry_run(folder, side)
    jobs = re.search(r"^Dry run: (\d+) jobs would run", said, re.MULTILINE)
    found = re.search(r"{'signatures': (\d+), 'files': (\d+)}", said)
    return int(jobs[1]), int(found[1]), int(found[2])


def test_more_jobs_ask_for_nothing_more(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "tests" / "bench")
    few, *asked_by_few = planned(tmp_path, 512)
    many, *asked_by_many = planned(tmp_path, 4096)
    assert many > 4 * few
    assert asked_by_many == pytest.approx(asked_by_few, abs=10)


def test_planning_imports_nothing_for_notebooks(tmp_path, monkeypatch):
    """What reads them imports jsonschema too, which no job of a cluster needs."""
    monkeypatch.syspath_prepend(REPOSITORY / "tests" / "bench")
    found = re.search(r"^imported: (.*)$", dry_run(tmp_path, 512), re.MULTILINE)
    assert found[1] == "snakemake.script"


@pytest.mark.parametrize("name", ["a.py", "a.R", "a.Rmd", "a.jl", "a.sh", "a.py.txt", "py", "a"])
def test_the_language_of_a_script_is_that_of_snakemake(name, monkeypatch):
    asked = snakemake.script.get_language
    monkeypatch.setattr(snakemake.script, "get_language", asked)
    skip_notebooks()
    file = infer_source_file(f"/some/where/{name}")
    assert snakemake.script.get_language(file, "") == asked(file, "")


def with_two(wildcards, attempt):
    """As rules have them."""


def overwritten(*args):
    """Says itself which parameters it takes."""


overwrite_function_params(overwritten, ["input"])
ASKED_ABOUT = {
    "function": with_two,
    "lambda": lambda wildcards: wildcards,
    "method": Resource("mem_mb", with_two).evaluate,
    "function of a class": Resource.evaluate,
    "partial": functools.partial(with_two, attempt=1),
    "class": Resource,
    "overwritten": overwritten,
}


@pytest.mark.parametrize("asked", ASKED_ABOUT.values(), ids=ASKED_ABOUT)
def test_the_answers_are_those_of_snakemake(asked, monkeypatch):
    for name in ("common", "rules"):
        module = getattr(snakemake, name)
        monkeypatch.setattr(module, "get_function_params", module.get_function_params)
    process_job = snakemake.dag.ScriptProcessor.process_job
    monkeypatch.setattr(snakemake.dag.ScriptProcessor, "process_job", process_job)
    monkeypatch.setattr(gc, "set_threshold", lambda *numbers: None)
    use_quick_planning()
    for _ in range(2):
        assert snakemake.rules.get_function_params(asked) == get_function_params(asked)
    assert inspect.isfunction(snakemake.common.get_function_params)


def test_short_jobs_form_groups_on_a_cluster(tmp_path, monkeypatch):
    """And only there: without a cluster, a group would be one job that takes longer to plan."""
    monkeypatch.syspath_prepend(REPOSITORY / "tests" / "bench")
    from bench_plan import Bench

    bench = Bench(tmp_path)
    bench.environment["IDLE_JOBS"] = "3"
    submitted = bench.submissions(4096, "--profile", "lsf")
    assert [line["jobs"] for line in submitted] == [8] * len(submitted) != []


@pytest.mark.parametrize("delay", [0.01, 3600])
def test_a_look_at_jobs_after_some_time_does_not_hold_up_the_end(delay, monkeypatch):
    """Snakemake's own timer would: a process waits for all threads that are no daemons."""
    monkeypatch.setattr(JobScheduler, AGAIN, getattr(JobScheduler, AGAIN))
    end_at_once()
    scheduler = JobScheduler.__new__(JobScheduler)
    scheduler._open_jobs = threading.Semaphore(0)
    started, start, here = [], threading.Thread.start, threading.current_thread()

    def noting(thread):
        if threading.current_thread() is here:
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noting)
    getattr(scheduler, AGAIN)(delay)
    (timer,) = started
    assert timer.daemon
    if delay < 1:
        assert scheduler._open_jobs.acquire(timeout=60)
    else:
        assert timer.is_alive()
        timer.cancel()
