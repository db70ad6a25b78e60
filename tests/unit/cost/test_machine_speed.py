"""The speed of a machine is what its jobs took, and only what is whole and its own is believed."""

import pytest

from snakemesh.cost import machine_speed
from snakemesh.cost.estimates import START_S
from snakemesh.cost.machine_speed import keep_ratio, kept_ratio, machine, measured_ratio
from snakemesh.kernels import kernel_files
from snakemesh.output.job_log import job_log


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """The folders of compiled functions, all empty."""
    monkeypatch.setattr(kernel_files, "_PACKAGE", tmp_path / "clone")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return kernel_files.folders()


def log(folder, name, cpu_s):
    """The log of a job that took this long."""
    path = folder / name
    path.write_text(f"mesh_block lod 0  voxels 9  cpu_s {cpu_s:.2f}  seconds 99.00  peak_mb 9\n")
    return str(path)


def test_the_ratio_is_that_of_all_jobs_together(tmp_path):
    jobs = [
        (log(tmp_path, "a", 6.0), 3.0 + START_S),
        (log(tmp_path, "b", 1.0), 4.0 + START_S),
        (str(tmp_path / "missing"), 50.0),
    ]
    (tmp_path / "failed").write_text("mesh_block lod 0: the volume cannot be read\n")
    assert measured_ratio([*jobs, (str(tmp_path / "failed"), 50.0)]) == pytest.approx(1.0)


def test_a_log_of_a_job_says_how_long_it_took(tmp_path):
    with job_log(str(tmp_path / "log"), "mesh_block lod 0") as facts:
        facts.facts["voxels"] = 9
    (text,) = (tmp_path / "log").read_text().splitlines()
    assert machine_speed._CPU_SECONDS.search(text)


@pytest.mark.parametrize("jobs", [[], [(1.0, 1.9)], [(0.0, 10.0)], [(1e4, 10.0)]])
def test_too_little_or_absurd_is_no_ratio(tmp_path, jobs):
    found = [(log(tmp_path, str(n), took), s + START_S) for n, (took, s) in enumerate(jobs)]
    assert measured_ratio(found) is None


def test_the_latest_ratio_of_this_machine_is_kept(monkeypatch):
    assert kept_ratio() is None
    keep_ratio(0.5)
    keep_ratio(1.2345)
    assert kept_ratio() == 1.23
    monkeypatch.setattr(machine_speed, "machine", lambda: "another processor")
    assert kept_ratio() is None


@pytest.mark.parametrize("content", [b"", b"nan", b"inf", b"-1", b"0", b"1e9", b"fast", b"\xff"])
def test_what_is_no_ratio_is_not_believed(content):
    kernel_files.write(machine_speed._name(), content)
    assert kept_ratio() is None


def test_a_damaged_file_is_not_believed(folders):
    keep_ratio(2.0)
    for folder in folders:
        (path,) = folder.iterdir()
        path.write_bytes(path.read_bytes()[:-1] + b"9")
    assert kept_ratio() is None
    keep_ratio(2.0)
    assert kept_ratio() == 2.0


def test_the_machine_is_named():
    assert machine() == machine() and " x " in machine()
