"""Faults outside the jobs: a broken chunk of the input, and an output that is read-only."""

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from running import fails, finish, meshes, planned, succeeds


@pytest.fixture
def broken_chunk(volume, tmp_path):
    """A copy of the volume, the path of a chunk that has lost its end, and its whole bytes."""
    copy = tmp_path / "volume.zarr"
    shutil.copytree(volume.path, copy)
    chunk = copy / "s0" / "0.0.0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[: len(whole) // 2])
    return copy, chunk, whole


def test_a_broken_chunk(repository, config, multires, broken_chunk, tmp_path):
    """Of each job that reads the chunk, one line says so, and another where its log is.

    The other jobs go on, and a later run does not repeat them.
    """
    source, chunk, whole = broken_chunk
    ours = config(tmp_path / "out") | {"input_path": source}
    said = fails(repository, ours, "--keep-going")
    lines = {line for line in said.splitlines() if "the volume cannot be read" in line}
    assert all(str(chunk) in line for line in lines)
    jobs = {line.split(":")[1].strip() for line in lines}
    assert jobs == {"pyramid_super_chunk stage 0 0_0_0", "mesh_block lod 0 0_0_0"}
    for line, below in pairwise(said.splitlines()):
        if line in lines:
            log = Path(below.removeprefix("  log: "))
            assert log.read_text() == line.removeprefix("failed: ") + "\n"
    text = (tmp_path / "out" / "logs" / "failures.jsonl").read_text()
    listed = [json.loads(line) for line in text.splitlines()]
    assert {f"{failure['rule']} {failure['job']}" for failure in listed} == jobs
    assert all(str(chunk) in failure["reason"] for failure in listed)
    assert not {"\r", "\x1b"} & set(said)
    assert "jobid" not in said and " steps " not in said
    (log,) = re.findall(r"^Complete log\(s\): (.*)$", said, re.MULTILINE)
    assert "Error in rule mesh_block:" in Path(log).read_text()
    assert f"2 jobs failed; {tmp_path}/out/logs/failures.jsonl lists all failures." in said

    left = planned(repository, ours)
    assert left["pyramid_super_chunk"] == 1
    # left are the block that failed and the blocks that need the failed super-chunk
    assert 1 < left["mesh_block"] < 6
    chunk.write_bytes(whole)
    assert meshes(finish(repository, ours)) == meshes(multires)


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_a_read_only_output(repository, config, multires, disk):
    """The first run and a later one are refused before any job, and nothing is lost."""
    ours = config(disk / "out")
    for _ in range(2):
        remount(disk, "ro")
        said = fails(repository, ours)
        (line,) = (line for line in said.splitlines() if line.startswith("snakemesh: "))
        assert "config key output_directory" in line and "Read-only file system" in line
        remount(disk, "rw")
        succeeds(repository, ours, "pyramid")
    assert "pyramid_super_chunk" not in planned(repository, ours)
    assert meshes(finish(repository, ours)) == meshes(multires)
