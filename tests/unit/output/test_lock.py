"""One run at a time, where flock works, where there is none, and where it holds on a node only."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from preloading import refusing
from snakemesh.errors import UserError
from snakemesh.output import lock as locks
from snakemesh.output.lock import acquire

SOURCE = Path(__file__).resolve().parents[3] / "src"

# Take the lock, start a child that lives longer than this process, print its id, then wait.
HOLD = """
import subprocess, sys, time
from pathlib import Path
from snakemesh.output import lock
lock.RENEW_S = lock._FIRST_S = 0.1
lock.acquire(Path(sys.argv[1]), print, lambda line: print(line, flush=True))
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
time.sleep(600)
"""
TRY = """
import sys
from pathlib import Path
from snakemesh.errors import UserError
from snakemesh.output import lease
from snakemesh.output.lock import acquire
lease.STALE_S, lease._LOOK_S = 5, 0.1
try:
    acquire(Path(sys.argv[1]), print, print)
    print("taken")
except UserError as error:
    print(error)
"""
# What flock does: it works, it is not there, or it is there and does nothing across nodes.
FLOCKS = {
    "flock": None,
    **{errno.errorcode[e]: e for e in (errno.ENOSYS, errno.ENOLCK, errno.EBADF, errno.EINVAL)},
    **{errno.errorcode[e]: e for e in (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)},
    "local": 0,
}


def start(code, folder, environment):
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        env=environment | {"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )


def attempt(folder, environment=os.environ):
    return start(TRY, folder, environment).communicate()[0].strip()


@pytest.fixture(params=FLOCKS.values(), ids=FLOCKS)
def environment(request):
    return os.environ if request.param is None else refusing(flock=request.param)


@pytest.fixture
def holder(tmp_path, environment):
    folder = tmp_path / "out"
    process = start(HOLD, folder, environment)
    child = int(process.stdout.readline())
    yield folder, process, child
    process.kill()
    process.wait()
    process.stdout.close()
    os.kill(child, signal.SIGKILL)


def test_one_run_at_a_time_and_none_after_a_kill(holder, environment):
    folder, process, child = holder
    who = f"process {process.pid} on {socket.gethostname()}"
    refused = f"another run is writing to {folder} ({who}); wait for it to end"
    assert attempt(folder, environment).removesuffix(", or end it there") == refused
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.kill(child, 0)  # signal 0: the child still runs. It does not hold the lock.
    # neither waits: who waits says so before
    assert attempt(folder, environment) == "taken"
    assert attempt(folder, environment) == "taken"  # the process above has ended, with its lock


@pytest.mark.parametrize("environment", [0], indirect=True, ids=["local"])
def test_the_run_that_was_taken_for_dead_is_told(holder):
    folder, process, _ = holder
    process.send_signal(signal.SIGSTOP)
    (folder / "work" / "lock.2").write_text("{}")
    process.send_signal(signal.SIGCONT)
    line = f"another run has taken {folder}, or {folder}/work/lock.1 was removed; this run ends\n"
    assert process.stdout.readline() == line


@pytest.mark.parametrize("environment", [0], indirect=True, ids=["local"])
def test_from_another_node(holder, environment):
    """Which sees the signs of life, and not the process."""
    folder, process, _ = holder
    lease = folder / "work" / "lock.1"
    there = lease.read_text().replace('"machine": "', '"machine": "that of ')
    process.send_signal(signal.SIGSTOP)
    lease.write_text(there)
    who = rf"process {process.pid} on {socket.gethostname()}, last sign of life \d+ s ago"
    line = rf"{folder} was in use by {who}; waiting up to \d+ s to see whether it is alive"
    assert re.fullmatch(rf"{line}\ntaken", attempt(folder, environment))


@pytest.mark.parametrize("environment", [None], indirect=True, ids=["flock"])
def test_another_output_is_another_lock(holder, environment):
    folder, _, _ = holder
    assert attempt(folder.parent / "other", environment) == "taken"


def test_a_run_of_an_older_version(tmp_path):
    """Which has a lock and no lease."""
    folder = tmp_path / "out"
    (folder / "work").mkdir(parents=True)
    with open(folder / "work" / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=f"^another run is writing to {folder}; wait for it"):
            acquire(folder, pytest.fail, pytest.fail)
    assert os.listdir(folder / "work") == ["lock"]
    assert attempt(folder) == "taken"


def test_this_process_has_it_already(tmp_path):
    assert acquire(tmp_path / "out", pytest.fail, pytest.fail)
    assert not acquire(tmp_path / "." / "out", pytest.fail, pytest.fail)
    assert attempt(tmp_path / "out").startswith("another run")


def open_below(folder):
    """The files below a folder that this process has open."""
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    found = [os.readlink(link) for link in links if os.path.islink(link)]
    return [path for path in found if path.startswith(f"{folder.resolve()}/")]


@pytest.mark.parametrize("environment", [None, 0], indirect=True, ids=["flock", "local"])
def test_nothing_is_left_open_after_a_refusal(holder):
    folder, _, _ = holder
    with open(folder / "work" / "lock") as file:
        assert open_below(folder) == [os.path.realpath(file.name)]
    with pytest.raises(UserError):
        acquire(folder, pytest.fail, pytest.fail)
    assert open_below(folder) == []
    assert folder.resolve() not in locks._held
