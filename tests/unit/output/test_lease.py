"""Leases without flock: who may take one, and that no two do. `elsewhere` stands for another host.

A lease of another host is a file that is written by hand, and renewed by setting its date. The
clock that tells how long a lease is watched is made up: it goes on only while the watcher sleeps.
"""

import errno
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from snakemesh.output import lease as leases
from snakemesh.output.lease import HeldError, Holder, take_lease

ELSEWHERE = Holder("elsewhere", 4711, "12345", "another start of another machine", "a token")
PROCESSES = 8


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    return path


class Clock:
    """Stands for the module `time`. meanwhile: what others do while somebody sleeps."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self):
        self.now, self.since_start, self.meanwhile = 0.0, 1e6, lambda: None

    def monotonic(self):
        return self.now

    def clock_gettime(self, _):
        return self.since_start

    def sleep(self, seconds):
        self.now += seconds
        self.meanwhile()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(leases, "time", made)
    return made


def write(lock, holder=ELSEWHERE, number=1, age_s=0.0):
    """Write a lease that was renewed `age_s` ago."""
    path = lock.with_name(f"lock.{number}")
    path.write_text(json.dumps(asdict(holder)) if holder else "")
    date = time.time() - age_s
    os.utime(path, (date, date))
    return path


@contextmanager
def renewed(clock, path, offset_s=0.0):
    """Renew a lease as its holder does. offset_s: how far the clock of its file system is ahead."""

    def renew():
        date = time.time() + offset_s + clock.now
        os.utime(path, (date, date))

    clock.meanwhile = renew
    yield
    clock.meanwhile = lambda: None


@pytest.fixture
def take(lock, clock):
    """Takes the lease. Returns its number, the seconds that took, and what was said."""

    def take():
        said, begin = [], clock.now
        lease = take_lease(lock, said.append)
        return int(lease.path.suffix[1:]), clock.now - begin, said

    return take


def here(process: int, **changes) -> Holder:
    """The holder that a process of this machine is."""
    return replace(
        Holder(socket.gethostname(), process, leases._begin(process), leases._machine(), "another"),
        **changes,
    )


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


# -- which leases are free --------------------------------------------------------------------


def test_the_first_one_and_one_that_has_ended(lock, take):
    first = take_lease(lock, pytest.fail)
    assert sorted(os.listdir(lock.parent)) == ["lock", "lock.1"]
    with pytest.raises(HeldError, match=f"^process {os.getpid()} on {socket.gethostname()}$"):
        take()
    first.end()
    assert take()[0] == 2
    assert sorted(os.listdir(lock.parent)) == ["lock", "lock.2"]
    assert not first.renew()


def test_ended_elsewhere(lock, take):
    os.utime(write(lock), (0, 0))
    assert take() == (2, 0, [])


def test_a_process_of_this_machine(lock, take, sleeper):
    """It holds the lease while it lives, renewed or not, and not as a zombie."""
    write(lock, here(sleeper.pid), age_s=5000)
    with pytest.raises(HeldError):
        take()
    sleeper.kill()
    deadline = time.monotonic() + 60
    while leases._begin(sleeper.pid) != "gone":  # until it is waited for, it is a zombie
        assert time.monotonic() < deadline
    os.utime(lock.with_name("lock.1"))
    assert take() == (2, 0, [])


def test_the_number_of_the_process_is_used_again(lock, take, sleeper):
    write(lock, here(sleeper.pid, begin="1"))
    assert take() == (2, 0, [])


def test_this_machine_was_started_again(lock, take, clock):
    """A sign that is older than the machine's start is of no process that runs."""
    clock.since_start = 300.0
    write(lock, here(1, machine="an earlier start"), age_s=400)
    assert take()[2] == []
    write(lock, here(1, machine="another machine of this name"), number=5, age_s=10)
    number, seconds, said = take()
    assert number == 6 and seconds >= leases.STALE_S and len(said) == 1


def test_old(lock, take):
    write(lock, age_s=leases.OLD_S + 10)
    assert take()[2] == []


def test_not_renewed_any_more(lock, take):
    write(lock, age_s=30)
    number, seconds, said = take()
    assert number == 2 and leases.STALE_S <= seconds < leases.STALE_S + 2
    age = re.fullmatch(r"process 4711 on elsewhere, last sign of life (\d+) s ago", *said)[1]
    assert 30 <= int(age) < leases.OLD_S


@pytest.mark.parametrize("offset_s", [0, 300, 5000, -300])
def test_renewed_elsewhere_whatever_the_clock(lock, take, clock, offset_s):
    """The clock of Lustre is that of the node which writes."""
    path = write(lock, age_s=-offset_s)
    with renewed(clock, path, offset_s), pytest.raises(HeldError) as error:
        take()
    assert str(error.value) == "process 4711 on elsewhere, last sign of life just now"
    assert os.listdir(lock.parent).count("lock.2") == 0


def test_a_clock_ahead_does_not_make_a_dead_run_live(lock, take):
    write(lock, age_s=-5000)
    number, seconds, said = take()
    assert number == 2 and seconds >= leases.STALE_S and len(said) == 1


def test_another_container_of_this_machine(lock, take, clock):
    """The numbers of its processes are not ours: only the date counts."""
    path = write(lock, here(os.getpid(), machine=f"{leases._machine()} of a container"))
    with renewed(clock, path), pytest.raises(HeldError):
        take()
    assert take()[0] == 2


def test_just_being_written(lock, take, clock, sleeper):
    path = write(lock, holder=None)
    clock.meanwhile = lambda: clock.now > 0.3 and write(lock, here(sleeper.pid))
    with pytest.raises(HeldError, match=f"process {sleeper.pid} on"):
        take()
    clock.meanwhile = lambda: None
    path.write_text("")  # by a run that was killed before it wrote
    number, _, said = take()
    assert number == 2
    assert said and said[0].startswith("a process that did not say which, last sign of life ")


def test_a_process_that_cannot_be_looked_at(monkeypatch, sleeper):
    """As where /proc hides the processes of others."""
    monkeypatch.setattr(leases, "_begin", lambda pid: "")
    assert here(sleeper.pid, begin="1").is_running() is None


# -- no two hold one --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [3, 4])
def test_a_run_that_was_stopped_while_it_looked(lock, number):
    """It makes a lease that others have had since: it notices, and leaves no trace."""
    write(lock, number=4)
    assert leases._made(lock, number) is None
    assert sorted(os.listdir(lock.parent)) == ["lock", "lock.4"]


def compete(lock, barrier, tried, results, name, is_alone):
    """Take the lease and renew it until all have tried. is_alone: each is a machine of its own."""
    clock = leases.time = Clock()

    def stand_still():
        """While one of them has the lease, nobody takes it for dead, however long it is stopped."""
        time.sleep(0.01)
        if not set(os.listdir(lock.parent)) <= {"lock", "lock.7"}:
            clock.now = 0.0

    clock.meanwhile = stand_still
    if is_alone:
        leases._machine = lambda: f"machine {name}"
    barrier.wait()
    try:
        lease = take_lease(lock, lambda who: None)
    except HeldError:
        lease = None
    tried.release()
    has_kept = True
    while lease and tried.get_value() < PROCESSES:
        has_kept = lease.renew() and has_kept
        time.sleep(0.05)
    results.put((name, lease is not None, has_kept and (lease is None or lease.renew())))
    barrier.wait()


@pytest.mark.parametrize("is_alone", [False, True], ids=["one machine", "machines"])
@pytest.mark.parametrize("before", ["none", "ended", "stale"])
def test_many_at_once(tmp_path, before, is_alone):
    processes = multiprocessing.get_context("fork")
    for turn in range(1 if is_alone else 5):
        lock = tmp_path / f"{turn}" / "lock"
        lock.parent.mkdir()
        lock.touch()
        if before != "none":
            path = write(lock, number=7, age_s=20)
            if before == "ended":
                os.utime(path, (0, 0))
        shared = processes.Barrier(PROCESSES), processes.Semaphore(0), processes.Queue()
        runs = [
            processes.Process(target=compete, args=(lock, *shared, name, is_alone), daemon=True)
            for name in range(PROCESSES)
        ]
        for run in runs:
            run.start()
        found = [shared[-1].get(timeout=120) for _ in runs]
        for run in runs:
            run.join()
        assert [has_it for _, has_it, _ in found].count(True) == 1
        assert all(has_kept for _, _, has_kept in found)
        (left,) = set(os.listdir(lock.parent)) - {"lock"}
        assert left == ("lock.1" if before == "none" else "lock.8")


# -- lost, and not lost -----------------------------------------------------------------------


def test_lost(lock):
    lease = take_lease(lock, pytest.fail)
    assert lease.renew()
    write(lock, number=2)
    assert not lease.renew()
    os.unlink(lock.with_name("lock.2"))
    assert lease.renew()
    lease.path.unlink()
    assert not lease.renew()
    write(lock)
    assert not lease.renew()
    lease.end()
    assert lease.path.stat().st_mtime > 1e9, "it is another's"


def test_a_file_system_that_is_away(lock):
    """It is not mounted for a while, or its server is started again."""
    lease = take_lease(lock, pytest.fail)
    folder = lock.parent
    away = folder.rename(folder.with_name("away"))
    assert lease.renew()
    folder.mkdir()  # the place to mount it
    assert lease.renew()
    folder.rmdir()
    away.rename(folder)
    os.utime(lease.path, (2e9, 1e9))
    assert lease.renew()
    assert lease.path.stat().st_mtime > 1e9


@pytest.mark.parametrize("error", [errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS])
def test_a_sign_that_cannot_be_given(lock, take, monkeypatch, error):
    lease = take_lease(lock, pytest.fail)

    def refuse(path, *_):
        raise OSError(error, os.strerror(error), path)

    monkeypatch.setattr(os, "utime", refuse)
    assert lease.renew()
    lease.end()
    monkeypatch.undo()
    with pytest.raises(HeldError):
        take()


def test_a_forked_child_does_not_end_it(lock):
    lease = take_lease(lock, pytest.fail)
    child = os.fork()
    if child == 0:
        lease.end()
        os._exit(0)
    os.waitpid(child, 0)
    assert lease.path.stat().st_mtime > 1e9


def test_a_full_disk_leaves_no_half_lease(lock):
    """Quotas and full disks may show when a file is closed."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from snakemesh.output.lease import take_lease\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "take_lease(Path(sys.argv[1]), print)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(lock)], env=environment, capture_output=True, text=True
    )
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert os.listdir(lock.parent) == ["lock"]
