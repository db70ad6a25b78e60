import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snakemesh import __version__
from snakemesh.errors import UserError
from snakemesh.output.job_log import job_log

SOURCE = Path(__file__).resolve().parents[3] / "src"


def test_one_line_of_facts(tmp_path):
    begin, begin_cpu = time.perf_counter(), sum(os.times()[:4])
    with job_log(str(tmp_path / "job.log"), "mesh_block lod 0 0_0_1") as log:
        log.facts.update(voxels=4096)
        log.facts["faces"] = 12
    most, most_cpu = time.perf_counter() - begin, sum(os.times()[:4]) - begin_cpu
    line = (tmp_path / "job.log").read_text()
    facts = "mesh_block lod 0 0_0_1  voxels 4096  faces 12"
    measured = r"  mvoxel_per_s \d+\.\d  cpu_s (\d+\.\d\d)  seconds (\d+\.\d\d)  peak_mb (\d+)"
    version = rf"  snakemesh {re.escape(__version__)}\n"
    cpu, seconds, peak = re.fullmatch(facts + measured + version, line).groups()
    assert float(cpu) <= most_cpu + 0.005 and float(seconds) <= most + 0.005  # rounded
    assert 5 < int(peak) < 100_000


def test_output_of_the_job_is_in_the_log_alone(tmp_path, capfd):
    stdout = sys.stdout
    with job_log(str(tmp_path / "job.log"), "job"):
        print("from print")
        print("a warning", file=sys.stderr)
        assert (tmp_path / "job.log").read_text() == "from print\na warning\n"  # not yet closed
    assert sys.stdout is stdout
    print("after")
    assert capfd.readouterr() == ("after\n", "")


def test_a_user_error_is_one_line(tmp_path):
    with pytest.raises(SystemExit) as ended, job_log(str(tmp_path / "job.log"), "job") as log:
        log.facts["voxels"] = 1
        raise UserError("config key input_path: found label -7, labels cannot be negative")
    assert ended.value.code == 1
    expected = "job: config key input_path: found label -7, labels cannot be negative\n"
    assert (tmp_path / "job.log").read_text() == expected


def test_any_other_error_has_a_traceback(tmp_path):
    with pytest.raises(SystemExit) as ended, job_log(str(tmp_path / "job.log"), "job"):
        raise IndexError("far out")
    assert ended.value.code == 1
    text = (tmp_path / "job.log").read_text()
    assert text.startswith("Traceback (most recent call last):")
    assert 'raise IndexError("far out")' in text
    assert text.endswith("IndexError: far out\n")
    assert "seconds" not in text


def test_a_log_of_an_earlier_try_is_replaced(tmp_path):
    (tmp_path / "job.log").write_text("Traceback of the try before\n" * 100)
    with job_log(str(tmp_path / "job.log"), "job"):
        pass
    assert (tmp_path / "job.log").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [("UserError('one line')", 1), ("ValueError()", 1), ("KeyboardInterrupt()", 130), (None, 0)],
)
def test_how_a_script_ends(tmp_path, error, code):
    script = [
        "from snakemesh.errors import UserError",
        "from snakemesh.output.job_log import job_log",
        f"with job_log({str(tmp_path / 'job.log')!r}, 'job'):",
        f"    raise {error}" if error else "    print('done')",
    ]
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(script)],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/out/multires/0.shard"),
        ValueError("RESOURCE_EXHAUSTED: Failed to write:\n No space left on device"),
        OSError("4096 requested and 0 written"),
    ],
    ids=["system", "tensorstore", "numpy"],
)
def test_a_full_disk_is_one_line(tmp_path, error):
    with pytest.raises(SystemExit) as ended, job_log(str(tmp_path / "job.log"), "job"):
        raise error
    assert ended.value.code == 1
    (line,) = (tmp_path / "job.log").read_text().splitlines()
    assert line.startswith("job: the disk of config key output_directory is full; make room")


def test_a_log_on_the_full_disk():
    """If the log cannot be written, whoever started the job gets the message."""
    with pytest.raises(SystemExit) as ended, job_log("/dev/full", "job"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(ended.value).startswith("job: the disk of config key output_directory is full")


def test_ctrl_c_while_a_job_works(tmp_path):
    """A job starts with the system's default, gets it back, and says in its log what ended it."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended, job_log(str(tmp_path / "job.log"), "job"):
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as after a shell's `&`
        with job_log(str(tmp_path / "other.log"), "job"):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130
    assert (tmp_path / "job.log").read_text() == "job: interrupted\n"
    assert (tmp_path / "other.log").read_text().startswith("job    cpu_s ")
