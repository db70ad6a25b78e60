import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snakemesh.errors import UserError
from snakemesh.output.lock import acquire

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"

# Take the lock, start a child that lives longer than this process, print its id, then wait.
HOLD = """
import subprocess, sys, time
from pathlib import Path
from snakemesh.output.lock import acquire
acquire(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
time.sleep(60)
"""
TRY = """
import sys
from pathlib import Path
from snakemesh.errors import UserError
from snakemesh.output.lock import acquire
try:
    acquire(Path(sys.argv[1]))
    print("taken")
except UserError as error:
    print(error)
"""
ENV = os.environ | {"PYTHONPATH": str(SCRIPTS)}


def attempt(folder):
    found = subprocess.run(
        [sys.executable, "-c", TRY, str(folder)], env=ENV, stdout=subprocess.PIPE, text=True
    )
    return found.stdout.strip()


@pytest.fixture
def holder(tmp_path):
    folder = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], env=ENV, stdout=subprocess.PIPE, text=True
    )
    child = int(process.stdout.readline())
    yield folder, process, child
    process.kill()
    process.wait()
    process.stdout.close()
    os.kill(child, signal.SIGKILL)


def test_one_run_at_a_time_and_none_after_a_kill(holder):
    folder, process, child = holder
    message = f"another run is writing to {folder}; wait for it to end"
    assert attempt(folder) == message
    with pytest.raises(UserError, match="^another run is writing to [^\n]*$"):
        acquire(folder)
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.kill(child, 0)  # signal 0: the child still runs. It does not hold the lock.
    assert attempt(folder) == "taken"
    assert attempt(folder) == "taken"  # the process above has ended, and its lock with it


def test_another_output_is_another_lock(holder):
    folder, _, _ = holder
    assert attempt(folder.parent / "other") == "taken"


def test_this_process_has_it_already(tmp_path):
    assert acquire(tmp_path / "out")
    assert not acquire(tmp_path / "." / "out")
    assert attempt(tmp_path / "out").startswith("another run")
