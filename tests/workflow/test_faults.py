"""Faults outside the jobs: a broken chunk of the input, and an output that is read-only."""

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from running import finish, meshes, planned, run


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
    done = run(repository, ours, "--keep-going")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said
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
    assert f"2 jobs failed, all are listed in {tmp_path}/out/logs/failures.jsonl" in said

    left = planned(repository, ours)
    assert left["pyramid_super_chunk"] == 1
    # left are the block that failed and the blocks that need the failed super-chunk
    assert 1 < left["mesh_block"] < 6
    chunk.write_bytes(whole)
    assert meshes(finish(repository, ours)) == meshes(multires)


@pytest.fixture
def disk(tmp_path):
    """A separate disk, which can be made read-only."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED: mounting a disk needs root: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_a_read_only_output(repository, config, multires, disk):
    """The first run and a later one are refused before any job, and nothing is lost."""
    ours = config(disk / "out")
    for _ in range(2):
        remount(disk, "ro")
        done = run(repository, ours)
        assert done.returncode != 0
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("snakemesh: "))
        assert "config key output_directory" in line and "Read-only file system" in line
        assert "Traceback" not in done.stdout + done.stderr
        remount(disk, "rw")
        built = run(repository, ours, "pyramid")
        assert built.returncode == 0, built.stdout + built.stderr
    assert "pyramid_super_chunk" not in planned(repository, ours)
    assert meshes(finish(repository, ours)) == meshes(multires)
