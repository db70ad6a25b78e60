"""What a run prints on a terminal. test_faults.py looks at one that prints to a file."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from holding import Hold
from running import command, meshes, succeeds
from terminal import run_on_terminal, seen

JOB = "mesh_block lod 0 0_0_0"
# Python runs this before the script of a job, or the process that jobs are forked from: they have
# only just started, for as long as a test needs
SLOW_START = """
import time
with open("/proc/self/cmdline") as file:
    line = file.read()
    if ".snakemake/scripts" in line or "fork_server" in line:
        time.sleep(3)
"""

# Python runs this before the process that jobs are forked from, and before a job. No job is forked
# then, and each takes longer than the second after which the line is drawn anew: it is seen.
SECOND_THREAD = """
import threading, time
with open("/proc/self/cmdline") as file:
    line = file.read()
    if "fork_server" in line:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    if ".snakemake/scripts" in line:
        time.sleep(1.2)
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("quiet") / "out"


@pytest.fixture(scope="module")
def with_a_failure(repository, config, volume, output):
    """A run on a terminal that fails where a chunk is broken: its exit code and what it wrote."""
    copy = output.parent / "volume.zarr"
    shutil.copytree(volume.path, copy)
    chunk = copy / "s0" / "0.0.0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[: len(whole) // 2])
    ours = config(output) | {"input_path": copy}
    line = command(ours, "--keep-going", "--retries", "1")
    (output.parent / "sitecustomize.py").write_text(SECOND_THREAD)
    environment = {"PYTHONPATH": f"{output.parent}{os.pathsep}src"}
    code, text = run_on_terminal(line, repository, columns=100, environment=environment)
    chunk.write_bytes(whole)
    return ours, code, text


def test_a_job_that_fails(with_a_failure, output):
    _, code, text = with_a_failure
    rows = seen(text)
    assert code == 1
    first = next(i for i, row in enumerate(rows) if row.startswith(f"failed: {JOB}: "))
    again = next(i for i, row in enumerate(rows) if row.startswith(f"tried again: {JOB}, attempt"))
    second = next(i for i, row in enumerate(rows) if row.startswith(f"failed: {JOB}, attempt 2: "))
    assert first < again < second
    assert "the volume cannot be read" in rows[first]
    assert Path(rows[first + 1].removeprefix("  log: ")).read_text().startswith(JOB)
    listed = [
        json.loads(line) for line in (output / "logs/failures.jsonl").read_text().splitlines()
    ]
    assert sorted((f"{line['rule']} {line['job']}", line["attempt"]) for line in listed) == [
        (JOB, 1),
        (JOB, 2),
        ("pyramid_super_chunk stage 0 0_0_0", 1),
        ("pyramid_super_chunk stage 0 0_0_0", 2),
    ]


def test_a_line_that_moves(with_a_failure):
    """It is there while the run goes on, says what it should, and is gone in the end."""
    _, _, text = with_a_failure
    lines = re.findall(r"\r([^\r\n]*)\x1b\[K", text)
    moving = r"\d+ % of the work, ([\d.e-]+ Mvoxel/s, )?\d jobs? running, \d failed, (until|\d:).*"
    drawn = [line for line in lines if line]
    assert len(set(drawn)) > 1 and all(re.fullmatch(moving, line) for line in drawn)
    assert " 2 jobs running, " in text and re.search(" [12] failed, ", text)
    rows = seen(text)
    assert not any(re.fullmatch(moving, row) for row in rows)
    assert "2 jobs failed; " in rows[-5]
    assert rows[-4].startswith("Complete log(s): ")
    assert rows[-3:] == ["WorkflowError:", "At least one job did not complete successfully.", ""]
    # the plan and nothing else of what Snakemake says before the first job
    assert rows[2].startswith("The plan for ") and rows[3].startswith("  level s0 ")
    assert "jobid" not in text and "Building DAG" not in text


@pytest.mark.parametrize("jobs", ["starting", "running", "at work"])
def test_ctrl_c(repository, with_a_failure, output, tmp_path, jobs):
    """No half line stays, nothing has failed, and the same command goes on."""
    ours, _, _ = with_a_failure
    before = (output / "logs" / "failures.jsonl").read_text()
    if jobs == "starting":
        (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    # or the run might be over before a job is seen running, or before Ctrl-C is pressed
    hold = Hold(tmp_path, r"/multires/\w+\.shard$")
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}src"}
    code, text = run_on_terminal(
        command(ours),
        repository,
        moment=lambda so_far: (
            hold.is_reached() if jobs == "at work" else re.search(r"[12] jobs? running", so_far)
        ),
        environment=environment,
    )
    assert code == 1
    rows = seen(text)
    assert any("Terminating processes on user request, this might take" in row for row in rows)
    assert not any("% of the work" in row or row.startswith("failed: ") for row in rows), text
    assert not any("Traceback" in row or "KeyboardInterrupt" in row for row in rows), text
    assert rows[-2:] == ["At least one job did not complete successfully.", ""]
    assert (output / "logs" / "failures.jsonl").read_text() == before


def test_verbose_and_the_end(repository, with_a_failure, multires, output):
    """All of Snakemake's messages are back; and where the result is."""
    ours, _, _ = with_a_failure
    # how far the runs came that were ended is left open: perhaps they left no job
    said = succeeds(repository, ours, "--verbose", "--forcerun", "multires_index")
    assert "localrule multires_index:" in said and "Finished jobid: 0 (Rule: all)" in said
    assert "progress: 100 % of the work, " in said
    lines = said.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  meshes "))
    assert lines[at] == f"  meshes   {output}/multires, the folder to serve"
    words = ("snakemesh", str(Path(sys.executable).with_name("snakemesh")))
    assert lines[at + 2] in [f"  look     {word} view {output}" for word in words]
    assert meshes(output / "multires") == meshes(multires)
    # nothing is left to be done, and that is said
    said = succeeds(repository, ours)
    assert "Nothing to be done (all requested files are present" in said
