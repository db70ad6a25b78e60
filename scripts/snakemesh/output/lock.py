"""One run at a time in an output directory. The lock ends with the process that holds it."""

import fcntl
import os
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.output.folder import LOCK

# The descriptors of the locks of this process, by output directory. They stay open until it ends. A
# child process does not inherit them, so a job that outlives a killed run does not hold the lock.
_held: dict[Path, int] = {}


def acquire(output: Path) -> bool:
    """Take the lock of an output directory until this process ends, in whatever way it ends.

    output: the directory; it is made if it does not exist. Returns False if this process holds the
    lock already.
    Raises UserError if another run holds the lock, or if nothing can be written there.
    """
    if output.resolve() in _held:
        return False
    try:
        (output / LOCK).parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(output / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(
            f"config key output_directory: {output} cannot be written to ({error.strerror})"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise UserError(f"another run is writing to {output}; wait for it to end") from None
    _held[output.resolve()] = fd
    return True
