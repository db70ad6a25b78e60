"""What Snakemake asks when it plans depends on the number of rules, not on that of the jobs."""

import functools
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import snakemake.cli  # the modules of snakemake import each other: this one comes first
import snakemake.rules
from snakemake.common import get_function_params, overwrite_function_params
from snakemake.resources import Resource

from snakemesh.console.quick_snakemake import use_quick_planning

REPOSITORY = Path(__file__).resolve().parents[3]
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
"""


def planned(folder: Path, side: int) -> tuple[int, int, int]:
    """Jobs of a dry run, signatures that were taken for it, and files that were opened."""
    from bench_plan import write_volume

    write_volume(folder / f"{side}.zarr", side)
    config = [f"input_path={folder}/{side}.zarr", f"output_directory={folder}/out{side}"]
    line = [sys.executable, "-c", COUNTING, "-n", "--cores", "1", "--config", "num_lods=4", *config]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = re.search(r"^total +(\d+)$", done.stdout, re.MULTILINE)
    found = re.search(r"{'signatures': (\d+), 'files': (\d+)}", done.stdout)
    return int(jobs[1]), int(found[1]), int(found[2])


def test_more_jobs_ask_for_nothing_more(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "tests" / "bench")
    few, *asked_by_few = planned(tmp_path, 512)
    many, *asked_by_many = planned(tmp_path, 4096)
    assert many > 4 * few
    assert asked_by_many == pytest.approx(asked_by_few, abs=10)


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
