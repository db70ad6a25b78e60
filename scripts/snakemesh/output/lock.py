"""One run at a time in an output directory: a lock that dies with the process that holds it."""

import fcntl
import os
from pathlib import Path

from snakemesh.errors import UserError

_held: list[int] = []


def acquire(folder: Path) -> None:
    """Take the lock of an output's work folder until this process ends, however it ends.

    Raises UserError when another run holds it, and when nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(
            f"config key output_directory: {folder.parent} cannot be written to ({error.strerror})"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise UserError(f"another run is writing to {folder.parent}; wait for it to end") from None
    _held.append(fd)
