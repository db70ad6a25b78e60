"""Whole runs on file systems that lack what others have, on which nothing may depend.

tests/faults/refuse_calls.c refuses the calls in every process of a run: of Snakemake, of jobs, and
of tensorstore in them.
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from formats import Placed, write_zarr
from holding import Hold
from preloading import refusing
from running import begin, command, digests, jobs_in, meshes
from snakemesh.output.lock import RENEW_S
from snakemesh.view.output import read_output

LOCKS = ("flock", "record_lock")
SYNCS = ("fsync_of_file", "fsync_of_folder", "syncfs")
LINKS = ("symlink", "link")
ONE_JOB = ("--until", "pyramid_levels")


# What the calls fail with. Tests of single modules try all errors of each. 0: locks that are none.
LACKS = {
    "all": dict.fromkeys((*LOCKS, *SYNCS, *LINKS), errno.ENOSYS),
    "as on CIFS": {
        **dict.fromkeys(LOCKS, errno.ENOLCK),
        "fsync_of_file": errno.EACCES,
        "fsync_of_folder": errno.EINVAL,
        "syncfs": errno.EPERM,
        **dict.fromkeys(LINKS, errno.EPERM),
    },
    "as on FUSE": {
        **dict.fromkeys(LOCKS, 0),
        "fsync_of_file": errno.EOPNOTSUPP,
        "fsync_of_folder": errno.EBADF,
        **dict.fromkeys(LINKS, errno.EOPNOTSUPP),
    },
}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    z, y, x = np.ogrid[:40, :48, :44]
    labels = np.zeros((40, 48, 44), np.uint32)
    for label, (centre, radius) in {5: ((14, 20, 15), 11), 9: ((25, 25, 30), 12)}.items():
        squares = ((z - centre[0]) ** 2, (y - centre[1]) ** 2, (x - centre[2]) ** 2)
        labels[sum(squares) < radius**2] = label
    placed = Placed(labels, (8.0, 8.0, 8.0), (0.0, 0.0, 0.0), (32, 32, 32))
    return Path(write_zarr(tmp_path_factory.mktemp("file_systems") / "volume.zarr", [placed]))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where every run finds its volume and leaves its output: both are named in the output."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def ours(source, place):
    """A configuration of few jobs, with a volume that a test may edit. All it makes is kept."""
    shutil.rmtree(place)
    shutil.copytree(source, place / "volume.zarr")
    return {
        "input_path": place / "volume.zarr",
        "output_directory": place / "out",
        "cell_size": 64,
        "num_lods": 2,
        "delete_intermediate_scales": False,
        "keep_fragments": True,
    }


def run(repository, ours, environment, *arguments, fails=False) -> str:
    process = begin(repository, ours, environment, *arguments)
    said = process.communicate()[0]
    assert (process.returncode != 0) == fails, said
    assert "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def undisturbed(repository, source, tmp_path_factory):
    """What is served, and the levels, of a run on a file system that has everything."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    keys = {"cell_size": 64, "num_lods": 2, "delete_intermediate_scales": False}
    run(repository, {"input_path": source, "output_directory": output} | keys, os.environ)
    pyramid = output / "_intermediate_scales.zarr"
    assert listed(pyramid) == ["s0", "s1"] and (pyramid / "s0").is_symlink()
    return meshes(output / "multires"), digests(pyramid / "s1")


def listed(pyramid: Path) -> list[str]:
    """The levels in the metadata of a group. All of them are there."""
    (scales,) = json.loads((pyramid / ".zattrs").read_text())["multiscales"]
    names = [dataset["path"] for dataset in scales["datasets"]]
    assert all((pyramid / name / ".zarray").is_file() for name in names)
    return names


@pytest.mark.parametrize("lacks", LACKS.values(), ids=LACKS)
def test_nothing_depends_on(repository, ours, undisturbed, lacks):
    """The home directory cannot be written to either."""
    environment = refusing(**lacks) | {"HOME": "/proc/nowhere"}
    output = ours["output_directory"]
    run(repository, ours, environment)
    pyramid = output / "_intermediate_scales.zarr"
    assert listed(pyramid) == ["s1"]
    assert (meshes(output / "multires"), digests(pyramid / "s1")) == undisturbed
    assert [level["name"] for level in read_output(output).levels()] == ["s0", "s1"]
    assert jobs_in(run(repository, ours, environment, "-n")) == {}


def test_later_runs(repository, ours, undisturbed):
    """Levels that are gone are made again, a container is taken over without a link to it."""
    environment = refusing(**LACKS["all"])
    output = ours["output_directory"]
    run(repository, ours, environment)
    pyramid = output / "_intermediate_scales.zarr"
    (pyramid / ".zattrs").unlink()
    os.utime(next(ours["input_path"].glob("s0/[0-9]*")))
    run(repository, ours, environment, "pyramid")
    assert jobs_in(run(repository, ours, environment, "-n", "pyramid")) == {}
    run(repository, ours, environment)
    logs = (output / "logs" / "mesh_block").rglob("*.log")
    assert any("  unchanged " in log.read_text() for log in logs)
    assert (meshes(output / "multires"), digests(pyramid / "s1")) == undisturbed
    run(repository, ours | {"delete_intermediate_scales": True}, environment)
    assert not pyramid.exists()


def test_lost_data_are_an_error(repository, ours):
    said = run(repository, ours, refusing(fsync_of_file=errno.EIO), fails=True)
    line = f"snakemesh: config key output_directory: {ours['output_directory']} cannot be written"
    assert f"{line} to ({os.strerror(errno.EIO)})\n" in said


def lines_of_ours(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("snakemesh: ")]


def wait_for(moment, process):
    while not moment():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


HOLD = """
import sys, time
from pathlib import Path
from snakemesh.output.lock import acquire
acquire(Path(sys.argv[1]), print, print)
time.sleep(600)
"""


def test_two_nodes(repository, ours):
    """flock holds on each node by itself, and neither sees the other's processes."""
    other = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*other, "true"], capture_output=True).returncode != 0:
        pytest.skip("NOT TESTED: a second node needs root, for unshare")
    environment = refusing(flock=0)
    output = ours["output_directory"]
    # a run would be done before the other one has seen that it lives
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(output)],
        env={**environment, "PYTHONPATH": str(repository / "src")},
    )
    try:
        wait_for((output / "work" / "lock.1").exists, first)
        rename = ["sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
        second = begin(repository, ours, environment, before=[*other, *rename])
        lines = lines_of_ours(second.communicate()[0])
    finally:
        first.kill()
        first.wait()
    (line,) = [line for line in lines if "writing" in line]
    assert second.returncode != 0
    said = re.escape(f"snakemesh: another run is writing to {output} (process {first.pid} on ")
    assert re.match(said + r"\S+, last sign of life just now\); wait for it to end", line)


@pytest.mark.parametrize("is_in_background", [False, True])
def test_a_run_that_has_lost_its_folder_ends(repository, ours, is_in_background, tmp_path):
    """Its jobs too, and nothing of the other run is removed. A shell's `&` ignores Ctrl-C."""
    output = ours["output_directory"]
    ignore = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if is_in_background else []
    # or it could be done before it has lost its folder, or before it looks at its lease again
    hold = Hold(tmp_path, r"/multires/\w+\.shard$")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}src"}
    process = begin(repository, ours, environment, cores=1, before=ignore)
    wait_for(hold.is_reached, process)
    process.send_signal(signal.SIGSTOP)
    (output / "work" / "lock.2").write_text("{}")
    time.sleep(RENEW_S)
    process.send_signal(signal.SIGCONT)
    said = process.communicate()[0]
    assert process.returncode != 0
    line = f"snakemesh: another run has taken {output}, or {output}/work/lock.1 was removed"
    assert lines_of_ours(said) == [f"{line}; this run ends"]
    assert "Removing output files" not in said
    # Snakemake may print one of its own: it closes the event loop of a thread that is still in it
    assert "src/snakemesh/" not in said.partition("Traceback")[2]
    of_this_run = subprocess.run(["pgrep", "-f", str(output)], capture_output=True, text=True)
    assert of_this_run.stdout == ""
    assert (output / "work" / "lock.2").read_text() == "{}"


def test_killed_and_started_again_at_once(repository, ours):
    environment = refusing(**LACKS["all"])
    leases = ours["output_directory"] / "work"
    process = begin(repository, ours, environment)
    # a lease that does not say yet whose it is would be watched for a minute
    wait_for(lambda: any(lease.read_text() for lease in leases.glob("lock.1")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    said = run(repository, ours, environment, *ONE_JOB)
    assert lines_of_ours(said) == []
    assert (leases / "lock.2").exists()


# -- folders that cannot be written to --------------------------------------------------------


HOMES = {"a file": "/dev/null", "unset": None}


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
def test_a_home_that_is_none(repository, ours, home):
    environment = {key: value for key, value in os.environ.items() if key != "HOME"}
    if home is not None:
        environment["HOME"] = home
    assert jobs_in(run(repository, ours, environment, "-n"))["mesh_block"] == 2


def test_a_read_only_clone(repository, ours, tmp_path):
    """From there, a line says what to do. From a folder of one's own, everything works."""
    inside = ["unshare", "--mount", "sh", "-c"]
    bind = f"mount --bind {repository} {repository} && mount -o remount,ro,bind {repository}"
    if subprocess.run([*inside, bind], capture_output=True).returncode != 0:
        pytest.skip("NOT TESTED: a read-only clone needs root, for unshare")
    there = [*inside, f'{bind} && cd {repository} && exec "$@"', "sh"]
    process = begin(repository, ours, os.environ, before=there)
    said = process.communicate()[0]
    assert process.returncode != 0 and "Traceback" not in said
    (line,) = lines_of_ours(said)
    assert re.fullmatch(
        rf"snakemesh: {repository}(/\.snakemake)? cannot be written to, and Snakemake keeps its "
        rf"records there; go to a folder of your own and add --snakefile {repository}/Snakefile to "
        "the same command",
        line,
    )
    here = [*inside, f'{bind} && cd {tmp_path} && exec "$@"', "sh"]
    snakefile = ("--snakefile", str(repository / "Snakefile"))
    package = os.environ | {"PYTHONPATH": str(repository / "src")}
    # numba would compile for minutes what it cannot keep beside the code
    process = begin(repository, ours, package, *snakefile, *ONE_JOB, before=here)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert (ours["output_directory"] / "_intermediate_scales.zarr" / "s1").is_dir()


def test_a_quota_that_is_reached_in_logs(repository, ours):
    """One line instead of Snakemake's, before any job starts."""
    line = command(ours)
    refused = refusing(mkdir_below_logs=errno.EDQUOT)
    done = subprocess.run(
        line, cwd=repository, env=refused, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert re.findall("^snakemesh: .*$", said, re.M) == [
        f"snakemesh: config key output_directory: {ours['output_directory']} cannot be written to "
        "(Disk quota exceeded)"
    ]
    assert "WorkflowError" not in said and "Traceback" not in said
