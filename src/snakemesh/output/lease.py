"""The lease of a run: a file that says who writes to an output directory, and that the run lives.

Leases need neither flock nor links: they hold on Lustre, GPFS, NFS, CIFS and FUSE. They lie beside
the lock file and are numbered: `lock.1`, `lock.2`, ... The highest number counts. Its holder sets
the date of the file to now every few seconds. That needs no space, so it works on a full disk.

    free     the holder has ended: it has set the date to 1970, or it was a process of this
             machine that is gone, or of this machine before it was started anew, or the date is
             older than `OLD_S`
    held     the holder is a process of this machine that runs
    unknown  anything else: another machine or container. Clocks differ, so the date of the file is
             compared with none. The file is watched: if its date changes, the lease is held; if it
             does not for `STALE_S`, the lease is free.

Who finds lease n free makes lease n + 1. The file system lets one run only make a file of that name
(O_EXCL), so of many that try, one goes on. It then looks whether n + 1 is the highest number: one
that was stopped for long between looking and making might bring back an old number. Only then are
lower numbers removed, so the highest one always stays. Hence two runs never both believe that they
hold the lease, with one exception: a run that was cut off for more than `STALE_S` (a stopped
machine, a divided network) was taken for dead. Before each renewal, the holder looks whether the
lease is still its own, so such a run ends itself within seconds of its return. If a file system
breaks O_EXCL, two runs that start together may both go on until the first look, a second later.
"""

import json
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

# Seconds without a renewal after which a run on another machine is taken for dead. A renewal that
# a slow server delays for longer would cost a run its lease.
STALE_S = 60
# A lease that is older by this many seconds is free without watching: clocks differ by less.
OLD_S = 600
# Seconds between two looks at a lease that is watched, or that is just being written.
_LOOK_S, _LOOK_AGAIN_S = 1.0, 0.05
# A date before this one, 2001, says that the holder has ended. Some file systems have no 1970.
_ENDED_BEFORE_S = 1e9


class HeldError(Exception):
    """Another run holds the lease. The message says which process on which host."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lease.

    machine: the kernel's id of this start of the machine, and the number of the container's space
    of process ids; "" where the system does not tell. begin: when the process began, in the
    kernel's ticks: a later process of the same id began at another time. token: no other lease has
    the same.
    """

    host: str
    pid: int
    begin: str
    machine: str
    token: str

    def is_running(self) -> bool | None:
        """Whether the process runs; None if that cannot be told from here."""
        if not self.machine or self.machine != _machine():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it is another user's
        begin = _begin(self.pid)
        return begin == self.begin if begin and self.begin else None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True)
class _Sign:
    """What a lease says now. text: empty while it is being written. date: when it was renewed."""

    text: bytes
    date_ns: int

    @property
    def is_ended(self) -> bool:
        return self.date_ns < _ENDED_BEFORE_S * 1e9

    @property
    def holder(self) -> Holder | None:
        try:
            return Holder(**json.loads(self.text))
        except (ValueError, TypeError):
            return None


class Lease:
    """A lease that this process holds. lock: the path of the lock file."""

    def __init__(self, lock: Path, number: int, text: bytes) -> None:
        self._lock = lock
        self._number = number
        self._text = text
        self._pid = os.getpid()

    @property
    def path(self) -> Path:
        """The file."""
        return _path(self._lock, self._number)

    def renew(self) -> bool:
        """Give a sign of life. Returns False if the lease is lost: removed, or another run's.

        A file system that does not answer, or not as it should, is no such reason.
        """
        try:
            sign = _sign(self.path)
            highest = _highest(self._lock)
            if sign is None:  # a file system that is not mounted has no lock file either
                return not self._lock.exists()
            if highest > self._number or (sign.text and sign.text != self._text):
                return False
            os.utime(self.path)
        except OSError:
            pass
        return True

    def end(self) -> None:
        """Leave the lease free. A child process that was forked must not."""
        with suppress(OSError):
            sign = _sign(self.path) if os.getpid() == self._pid else None
            if sign is not None and sign.text == self._text:
                os.utime(self.path, (0, 0))


def take_lease(lock: Path, say: Callable[[str], None]) -> Lease:
    """Take the lease beside the file `lock`, which exists and which this process may write to.

    say: is called with who may hold it, before it is watched for up to `STALE_S`. Raises HeldError
    if another run holds the lease, and OSError if the file system refuses to make one.
    """
    while True:
        number = _highest(lock)
        if number and not _is_free(lock, _path(lock, number), say):
            continue  # it has changed hands
        lease = _made(lock, number + 1)
        if lease is not None:
            return lease


def holder_of(lock: Path) -> Holder | None:
    """The process that holds the lease beside a lock file; None if none is known."""
    with suppress(OSError):
        if number := _highest(lock):
            sign = _sign(_path(lock, number))
            return None if sign is None or sign.is_ended else sign.holder
    return None


def _made(lock: Path, number: int) -> Lease | None:
    """The lease of a number, made by this process; None if another run has made one meanwhile."""
    path = _path(lock, number)
    pid = os.getpid()
    holder = Holder(socket.gethostname(), pid, _begin(pid), _machine(), uuid4().hex)
    text = json.dumps(asdict(holder)).encode()
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return None
    is_mine = False
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(text)
        is_mine = _highest(lock) == number
    finally:
        if not is_mine:
            path.unlink(missing_ok=True)
    if not is_mine:
        return None
    for older in _numbers(lock) - {number}:
        with suppress(OSError):  # it is in a folder where only its owner may remove it
            _path(lock, older).unlink()
    return Lease(lock, number, text)


def _is_free(lock: Path, path: Path, say: Callable[[str], None]) -> bool:
    """Whether a lease is free, after watching it if necessary. False if it was taken meanwhile.

    Raises HeldError if another run holds it.
    """
    sign = _sign(path)
    if sign is None:
        return False
    holder = sign.holder
    if sign.is_ended or (is_running := holder and holder.is_running()) is False:
        return True
    if is_running:
        raise HeldError(str(holder))
    age_s = _age_s(lock, sign)
    if age_s is not None and (age_s > OLD_S or _was_before_this_start(holder, age_s)):
        return True
    return _is_stale(path, sign, age_s, say)


def _is_stale(path: Path, sign: _Sign, age_s: float | None, say: Callable[[str], None]) -> bool:
    """Watch a lease whose holder is elsewhere. See `_is_free`."""
    who = str(sign.holder or "a process that did not say which")
    last = "" if age_s is None else f", last sign of life {max(age_s, 0):.0f} s ago"
    begin = time.monotonic()
    has_said = False
    while (watched := time.monotonic() - begin) < STALE_S:
        if not has_said and watched > _LOOK_S:
            say(f"{who}{last}")
            has_said = True
        time.sleep(_LOOK_S if sign.text else _LOOK_AGAIN_S)
        now = _sign(path)
        if now is None or now.text != sign.text or now.is_ended:
            return False
        if now != sign:
            raise HeldError(f"{who}, last sign of life just now")
    return True


def _was_before_this_start(holder: Holder | None, age_s: float) -> bool:
    """Whether a holder of this host's name lived before the machine was started."""
    is_same_host = holder is not None and holder.host == socket.gethostname()
    return is_same_host and age_s > time.clock_gettime(time.CLOCK_BOOTTIME)


def _age_s(lock: Path, sign: _Sign) -> float | None:
    """Seconds since a sign, by the clock that the file system dates files with."""
    try:
        os.utime(lock)
        return (lock.stat().st_mtime_ns - sign.date_ns) / 1e9
    except OSError:
        return None  # it cannot date a file now


def _sign(path: Path) -> _Sign | None:
    """What a lease says; None if it is not there. NFS asks the server when a file is opened."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except PermissionError:  # another user's
        return _Sign(b"", path.stat().st_mtime_ns)
    try:
        return _Sign(os.read(file, 4096), os.fstat(file).st_mtime_ns)
    finally:
        os.close(file)


def _numbers(lock: Path) -> set[int]:
    """The numbers of all leases beside a lock file."""
    matches = (re.fullmatch(rf"{lock.name}\.(\d+)", name) for name in os.listdir(lock.parent))
    return {int(match[1]) for match in matches if match}


def _highest(lock: Path) -> int:
    return max(_numbers(lock), default=0)


def _path(lock: Path, number: int) -> Path:
    return lock.with_name(f"{lock.name}.{number}")


def _machine() -> str:
    """See Holder."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{start} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _begin(pid: int) -> str:
    """When a process began; "" if that cannot be told, "gone" if it is waiting to be removed."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # the name of the program, in parentheses, may contain anything
    state, *fields = text.rpartition(")")[2].split()
    return "gone" if state in "ZX" else fields[18]
