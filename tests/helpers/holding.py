"""Holds the processes of a run at a place that a test names, however fast or slow the machine is.

Python runs the code here before anything else, as `sitecustomize`, in every process that finds the
folder in its PYTHONPATH.
"""

from pathlib import Path
from uuid import uuid4

# A held process goes on when the folder of the hold is gone, and at last when a test has failed.
_COMMON = """
import os, re, time
from itertools import count

def wait_until_gone(folder):
    end = time.monotonic() + 900
    while os.path.isdir(folder) and time.monotonic() < end:
        time.sleep(0.02)
"""
# Files get their names by os.replace. The number of a file is that of a ticket that is still free.
_HOLD_NAMES = """
def hold_names(pattern, free, folder, replace=os.replace):
    def replace_later(source, target, **options):
        if re.search(pattern, str(target)) and not is_free():
            wait_until_gone(folder)
        return replace(source, target, **options)

    def is_free():
        for number in count():
            try:
                os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_EXCL))
                return number < free
            except FileExistsError:
                pass
            except FileNotFoundError:
                return True

    os.replace = replace_later
"""
_HOLD_JOBS = """
with open("/proc/self/cmdline") as file:
    line = file.read()
if ".snakemake/scripts" in line or "fork_server" in line:
    wait_until_gone({folder!r})
"""


class Hold:
    """Holds processes until `release`. path: a folder for their PYTHONPATH, with other holds in it.

    names: what is held is a file just before it gets a name that this pattern finds; all but the
    first `free` of them. Without a pattern, no job begins.
    """

    def __init__(self, path: Path, names: str | None = None, free: int = 0) -> None:
        self._free = free
        self._folder = path / f"hold.{uuid4().hex}"
        self._folder.mkdir()
        code = _COMMON
        if names is None:
            code += _HOLD_JOBS.format(folder=str(self._folder))
        else:
            code += f"{_HOLD_NAMES}\nhold_names({names!r}, {free}, {str(self._folder)!r})\n"
        with open(path / "sitecustomize.py", "a") as file:
            file.write(code)

    def is_reached(self) -> bool:
        """Whether a file is held, or was."""
        return (self._folder / str(self._free)).exists()

    def release(self) -> None:
        """Let all that is held go on, and hold nothing from now on."""
        self._folder.rename(self._folder.with_name(f"{self._folder.name}.over"))
