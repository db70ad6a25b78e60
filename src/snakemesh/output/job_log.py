"""The log of a job: one line says what the job did, or one line says what the user has to do."""

import errno
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field

from snakemesh import __version__
from snakemesh.errors import UserError


@dataclass
class JobLog:
    """The numbers that a job reports, by name, in the order in which they are logged."""

    facts: dict[str, float] = field(default_factory=dict)


# What errors of a full disk contain: the system's own text, which tensorstore quotes, and the text
# of numpy after a short write.
_DISK_FULL_TEXTS = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "requested and")


@contextmanager
def job_log(path: str, job: str) -> Iterator[JobLog]:
    """Run a job with its output in its log, and close the log with one line about the job.

    The line begins with the text `job`. Then come pairs "name value", two spaces apart: the facts
    that the job puts into the JobLog, its CPU seconds with its forks (`cpu_s`), its seconds, its
    peak memory in MiB (`peak_mb`) and the version of snakemesh. A job with a fact `voxels` also
    gets `mvoxel_per_s`, its millions of voxels a second. `path` is the log file; it is overwritten.

    An error ends the job with SystemExit, status 1; Ctrl-C with status 130, as in a shell. The log
    has the message of a UserError or of a full disk in one line, and the traceback of any other
    error. If the log itself cannot be written because the disk is full, the message of
    SystemExit says so.
    """
    try:
        with _logged(path, job) as log:
            yield log
    except OSError as error:  # from writing the log: _logged handles the errors of the job
        if not _is_disk_full(error):
            raise
        sys.exit(f"{job}: {_disk_is_full(error)}")


@contextmanager
def _logged(path: str, job: str) -> Iterator[JobLog]:
    """Do what `job_log` says, for a log that can be written."""
    start, start_cpu = time.perf_counter(), _cpu_seconds()
    log = JobLog()
    with open(path, "w", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        try:
            with _raising_on_ctrl_c():
                yield log
        except UserError as error:
            print(f"{job}: {error}", flush=True)
            sys.exit(1)
        except KeyboardInterrupt:  # Ctrl-C goes to Snakemake and to all jobs
            print(f"{job}: interrupted", flush=True)
            sys.exit(128 + signal.SIGINT)
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
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # Linux counts in KiB
        cpu = _cpu_seconds() - start_cpu
        measured = f"cpu_s {cpu:.2f}  seconds {seconds:.2f}  peak_mb {peak}"
        print(f"{job}  {facts}  {measured}  snakemesh {__version__}", flush=True)


def _cpu_seconds() -> float:
    """CPU time of this process and of its forks that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


@contextmanager
def _raising_on_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt in a job that a run has started.

    Before and after, Ctrl-C ends such a job silently (`console.interrupted_start`).
    """
    if signal.getsignal(signal.SIGINT) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _is_disk_full(error: Exception) -> bool:
    return any(reason in str(error) for reason in _DISK_FULL_TEXTS)


def _disk_is_full(error: Exception) -> str:
    reason = " ".join(str(error).split())  # one line: tensorstore's messages have several
    return (
        "the disk of config key output_directory is full; make room there and give the same "
        f"command again ({reason})"
    )
