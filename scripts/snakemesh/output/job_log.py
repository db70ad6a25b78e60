"""The log of a job: one line says what it did, and an error of the user's is one line too."""

import errno
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field

from snakemesh.errors import UserError


@dataclass
class JobLog:
    """What a job has to say of itself, in the order it says it."""

    facts: dict[str, object] = field(default_factory=dict)


# As the system names them and tensorstore quotes them, and what numpy says of a short write.
_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "requested and")


@contextmanager
def job_log(path: str, job: str) -> Iterator[JobLog]:
    """Run a job with its output in its log, closed by a line with its facts, time and peak memory.

    path: the log file. job: what the line begins with. A fact `voxels` gives their rate as well,
    in millions a second. A UserError ends the job with its message alone, and so does a disk that
    is full; any other error with a traceback.
    """
    try:
        with _logged(path, job) as log:
            yield log
    except OSError as error:  # the log could not be written
        if not _is_disk_full(error):
            raise
        sys.exit(f"{job}: {_disk_is_full(error)}")


@contextmanager
def _logged(path: str, job: str) -> Iterator[JobLog]:
    start = time.perf_counter()
    log = JobLog()
    with open(path, "w", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        try:
            yield log
        except UserError as error:
            print(f"{job}: {error}", flush=True)
            sys.exit(1)
        except Exception as error:
            if _is_disk_full(error):
                print(f"{job}: {_disk_is_full(error)}", flush=True)
            else:
                traceback.print_exc()
            sys.exit(1)
        seconds = time.perf_counter() - start
        if "voxels" in log.facts:
            log.facts["mvoxel_per_s"] = round(log.facts["voxels"] / seconds / 1e6, 1)
        facts = "  ".join(f"{name} {value}" for name, value in log.facts.items())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{job}  {facts}  seconds {seconds:.2f}  peak_mb {peak}", flush=True)


def _is_disk_full(error: Exception) -> bool:
    return any(reason in str(error) for reason in _FULL)


def _disk_is_full(error: Exception) -> str:
    reason = " ".join(str(error).split())
    return (
        "the disk of config key output_directory is full; make room there and give the same "
        f"command again ({reason})"
    )
