"""A disk fills up: the run says so in one line. With room again, the same command completes."""

import os
import shutil

import pytest

from running import digests, fails, finish, succeeds
from snakemesh.cli.program import main

PAGE = 4096


def leave(disk, pages):
    """Fill a disk so that only so many pages are free."""
    free = os.statvfs(disk)
    with open(disk / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - pages * PAGE)


def assert_says_so(said, rule):
    lines = {line for line in said.splitlines() if "disk of config key output_directory" in line}
    assert any(line.startswith((f"{rule} ", f"failed: {rule} ")) for line in lines), said
    assert all("is full; make room there" in line for line in lines)


# Another job beside the one that fills the disk could not write how long it took.
ONE_JOB = ("--cores", "1")


def test_full_while_building_and_full_while_meshing(repository, config, multires, disk):
    ours = config(disk / "out", delete_intermediate_scales=False)
    (disk / "out").mkdir()
    leave(disk, 10)
    assert_says_so(fails(repository, ours, "pyramid", *ONE_JOB), "pyramid_super_chunk")
    (disk / "filler").unlink()
    succeeds(repository, ours, "pyramid")
    built = digests(disk / "out" / "_intermediate_scales.zarr")
    leave(disk, 36)
    assert_says_so(fails(repository, ours, *ONE_JOB), "mesh_block")
    (disk / "filler").unlink()
    assert digests(finish(repository, ours)) == digests(multires)
    assert digests(disk / "out" / "_intermediate_scales.zarr") == built


def test_a_command_names_what_it_could_not_write(multires, disk, capsys):
    """And leaves nothing half written."""
    output, place = str(multires.parent), disk / "made"
    commands = {
        str(place): ["export", output, "--ids", "all", "--output", str(place)],
        f"{place}.glb": ["export", output, "--ids", "all", "--scene", f"{place}.glb"],
        f"{place}/0.shard": [
            *("export", output, "--ids", "all", "--format", "webknossos"),
            *("--output", str(place)),
        ],
        f"{place}.png": ["shot", output, "--output", f"{place}.png", "--size", "900x900"],
        f"{place}/multires": ["view", output, "--publish", str(place)],
    }
    for named, words in commands.items():
        place.mkdir()
        leave(disk, 3)
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = f"{ended.value.code} {capsys.readouterr().err}"
        assert named in said and "No space left on device" in said and ".tmp" not in said
        assert not list(disk.rglob("*.tmp"))
        (disk / "filler").unlink()
        shutil.rmtree(place)
