"""What a dry run prints, and that `snakemesh plan` and the run itself say the same."""

import re
import subprocess
import sys

import pytest

from running import command, dry_run, jobs_in, run


@pytest.mark.parametrize("finished", [False, True])
def test_the_plan_is_that_of_a_dry_run(
    repository, config, multires, tmp_path, monkeypatch, finished
):
    """Also of an output that is there, of which a dry run says besides that nothing is left."""
    # where no other run notes how fast the machine is, which changes the times of a plan
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    keys = config(multires.parent if finished else tmp_path / "out")
    lines = dry_run(repository, keys).splitlines()
    keys_as_words = command(keys)[6:]
    line = [sys.executable, "-m", "snakemesh", "plan", *keys_as_words]
    done = subprocess.run(line, cwd=repository, capture_output=True, text=True, check=True)
    plan = done.stdout.splitlines()
    assert plan[0].startswith("The plan for ")
    before, lines = lines[: lines.index(plan[0])], lines[lines.index(plan[0]) :]
    assert "Config file config/config.yaml is extended" in before.pop(0)
    if finished:
        assert before.pop().startswith("Nothing to be done (all requested files are present")
        lines.remove("  to run   nothing, everything is there")
    else:
        assert lines.pop().startswith("Dry run: ") and lines.pop() == ""
    assert before == [] and lines == plan
    assert done.stderr == ""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"verify": True},
        {"num_lods": 1},
        {"measures": ["components"]},
        {"measures": ["curvature"]},
        {"multires_strategy": "downsample"},
        {"table": True},
    ],
    ids=lambda changes: " ".join(changes) or "usual",
)
def test_the_plan_counts_the_jobs_of_each_rule(repository, config, tmp_path, changes):
    """As many as Snakemake does, so that the plan, a run's progress and its end agree."""
    keys = config(tmp_path / "out", **changes)
    if keys.pop("table", False):
        (tmp_path / "table.csv").write_text("label,body\n1,2\n")
        keys["label_map"] = str(tmp_path / "table.csv")
    said = dry_run(repository, keys)
    total = sum(jobs_in(said).values()) + 1  # the target
    assert f"  in all   {total} jobs, " in said and f"Dry run: {total} jobs would run (" in said
    assert "to run" not in said  # where any rule has other jobs than planned, a line says so


def test_verbose_lists_jobs_after_the_plan(repository, config, tmp_path):
    """The number of jobs is that of Snakemake's table."""
    done = run(repository, config(tmp_path / "out"), "--dry-run", "--verbose")
    plan, jobs = done.stdout.index("The plan for "), done.stdout.index("rule mesh_block:")
    assert done.returncode == 0 and plan < jobs
    total = re.search(r"^total +(\d+)$", done.stdout, re.MULTILINE)[1]
    assert f"Dry run: {total} jobs would run (" in done.stdout
    assert done.stdout.count("The plan for ") == 1
