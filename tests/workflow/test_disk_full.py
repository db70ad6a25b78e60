"""A disk fills up: the run says so in one line. With room again, the same command completes."""

import os
import subprocess

import pytest

from running import digests, finish, run

PAGE = 4096


@pytest.fixture
def small_disk(tmp_path):
    """A separate disk of 4 MB, which the test may fill."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED: mounting a small disk needs root: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def leave(disk, pages):
    """Fill a disk so that only so many pages are free."""
    free = os.statvfs(disk)
    with open(disk / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - pages * PAGE)


def assert_says_so(done, rule):
    assert done.returncode != 0
    said = done.stdout + done.stderr
    lines = {line for line in said.splitlines() if "disk of config key output_directory" in line}
    assert any(line.startswith((f"{rule} ", f"failed: {rule} ")) for line in lines), said
    assert all("is full; make room there" in line for line in lines)
    assert "Traceback" not in said


def test_full_while_building_and_full_while_meshing(repository, config, multires, small_disk):
    ours = config(small_disk / "out", delete_intermediate_scales=False)
    (small_disk / "out").mkdir()
    leave(small_disk, 10)
    assert_says_so(run(repository, ours, "pyramid"), "pyramid_super_chunk")
    (small_disk / "filler").unlink()
    done = run(repository, ours, "pyramid")
    assert done.returncode == 0, done.stdout + done.stderr
    built = digests(small_disk / "out" / "_intermediate_scales.zarr")
    leave(small_disk, 36)
    assert_says_so(run(repository, ours), "mesh_block")
    (small_disk / "filler").unlink()
    assert digests(finish(repository, ours)) == digests(multires)
    assert digests(small_disk / "out" / "_intermediate_scales.zarr") == built
