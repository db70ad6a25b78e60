"""Runs that are killed go on where they stopped, and end with the same bytes."""

import os
import shutil
import time

from holding import Hold
from processes import sessions
from running import begin, digests, finish, kill_when, planned


def leftovers(output):
    """What only a running or a killed job has in the output folder."""
    found = [path for path in output.rglob(".*") if path.name.endswith((".tmp", ".unfinished"))]
    others = (output / "work" / "mesh", output / "work" / "pyramid")
    pyramid = output / "_intermediate_scales.zarr"
    return [*found, *(path for path in (*others, pyramid) if path.exists())]


def meshed(output, n):
    """A function that tells whether n blocks have been meshed since now, repeated ones included.

    Two jobs run at a time. Snakemake may not know yet of those that have just finished.
    """
    now = time.time()

    def is_there():
        containers = output.glob("work/mesh/lod*/*.fragments")
        return sum(container.stat().st_mtime > now for container in containers) >= n

    return is_there


def test_killed_again_and_again(repository, config, multires, tmp_path):
    """Three runs are killed, and a fourth completes.

    The first has another configuration, whose blocks must not get into the result. In the last,
    only Snakemake is killed: its jobs go on beside those of the fourth run, and neither may spoil
    what the other writes.
    """
    output = tmp_path / "out"
    other = config(output, cell_size=32, num_lods=4, target_reduction=0.8)
    kill_when(repository, other, meshed(output, 3), whole_group=True)
    assert planned(repository, config(output))["mesh_block"] == 6
    at_most = {"held": r"\.fragments$", "free": 5}  # of six blocks
    kill_when(repository, config(output), meshed(output, 4), whole_group=True, **at_most)
    assert 0 < planned(repository, config(output))["mesh_block"] < 6
    session = kill_when(repository, config(output), meshed(output, 1), whole_group=False)
    # the last jobs remove what killed ones have left: not before all of those have ended
    hold = Hold(tmp_path, r"/work/documents\.\w+\.done$")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}src"}
    last = begin(repository, config(output), environment)
    while not hold.is_reached() or sessions()[session].pids:
        assert last.poll() is None, last.communicate()[0]
        time.sleep(0.02)
    hold.release()
    said = last.communicate()[0]
    assert last.returncode == 0, said
    assert digests(output / "multires") == digests(multires)
    assert leftovers(output) == []


def test_work_removed_in_the_middle(repository, config, multires, tmp_path):
    """The run ends or recovers, and the same command completes, also where meshes are there."""
    output = tmp_path / "out"
    finish(repository, config(output, target_reduction=0.8))
    kill_when(repository, config(output), meshed(output, 2), whole_group=True)
    shutil.rmtree(output / "work")
    assert digests(finish(repository, config(output))) == digests(multires)


def test_nothing_changed_nothing_done(repository, config, multires):
    before = {path: path.stat().st_mtime_ns for path in multires.rglob("*")}
    assert planned(repository, config(multires.parent)) == {}
    finish(repository, config(multires.parent))
    assert {path: path.stat().st_mtime_ns for path in multires.rglob("*")} == before
    assert leftovers(multires.parent) == []
