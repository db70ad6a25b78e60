"""One run at a time in an output directory: flock, which is exact where it works, and a lease.

flock tells at once whether a run on this machine holds the lock, also one of an older version. But
some file systems have none, and some keep it to the machine. So a run takes the lease as well (see
`output.lease`), and renews it as long as it lives.
"""

import atexit
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.output.folder import LOCK
from snakemesh.output.lease import STALE_S, HeldError, Lease, holder_of, take_lease

# Seconds between two renewals of a lease: so long another run waits before it can be refused.
RENEW_S = 5
# Seconds until the first one, which also finds out if two runs have taken the lease at once.
_FIRST_S = 1

# The locks that this process holds, by output directory. It holds them until it ends.
_held: dict[Path, "_Lock"] = {}


class _Lock:
    """A lock that this process holds, and the thread that renews its lease.

    The lock file stays open until the process ends, and with it the flock. A child process does not
    inherit it, so a job that outlives a killed run does not hold the lock.
    """

    def __init__(self, lease: Lease, lost: Callable[[], None]) -> None:
        self._lease = lease
        self._lost = lost
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    def _renew(self) -> None:
        seconds: float = _FIRST_S
        while not self._ends.wait(seconds):
            if not self._lease.renew():
                self._ends.set()
                self._lost()
                return
            seconds = RENEW_S

    def _end(self) -> None:
        if self._ends.is_set():
            return  # it is another run's
        self._ends.set()
        self._thread.join(RENEW_S)  # a file system that does not answer must not hold up the end
        if not self._thread.is_alive():
            self._lease.end()


def acquire(output: Path, say: Callable[[str], None], lost: Callable[[str], None]) -> bool:
    """Take the lock of an output directory until this process ends, in whatever way it ends.

    output: the directory; it is made if it does not exist. say: is called with a line before a wait
    of about a minute, if only waiting shows whether another run is alive. lost: is called with a
    line, in another thread, if another run has taken the lock; this run must then end. Returns
    False if this process holds the lock already.

    Raises UserError if another run holds the lock, or if nothing can be written there.
    """
    if output.resolve() in _held:
        return False
    lock = output / LOCK
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        lease = _taken(output, file, say)
    except OSError as error:
        raise unwritable(output, error) from None
    line = f"another run has taken {output}, or {lease.path} was removed; this run ends"
    _held[output.resolve()] = _Lock(lease, lambda: lost(line))
    return True


def unwritable(output: str | Path, error: OSError) -> UserError:
    """What to say of an output directory that cannot be written to."""
    return UserError(
        f"config key output_directory: {output} cannot be written to ({error.strerror})"
    )


def _taken(output: Path, file: int, say: Callable[[str], None]) -> Lease:
    """The lease, taken while the lock file, open as `file`, is locked by flock if there is one.

    Closes the file if this fails.
    """
    lock = output / LOCK
    in_use = f"another run is writing to {output}"
    try:
        _try_flock(file)
        waiting = f"waiting up to {STALE_S} s to see whether it is alive"
        return take_lease(lock, lambda who: say(f"{output} was in use by {who}; {waiting}"))
    except BlockingIOError:
        os.close(file)
        holder = holder_of(lock)
        known = "" if holder is None else f" ({holder})"
        raise UserError(f"{in_use}{known}; wait for it to end") from None
    except HeldError as error:
        os.close(file)
        raise UserError(f"{in_use} ({error}); wait for it to end, or end it there") from None
    except OSError:
        os.close(file)
        raise


def _try_flock(file: int) -> None:
    """Raises BlockingIOError if another process has locked the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass  # the file system has no flock, and the lease does without
