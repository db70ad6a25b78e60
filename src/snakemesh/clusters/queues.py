"""SGE, PBS and HTCondor, as Snakemake's plugin for any cluster (cluster-generic) uses them.

That plugin takes commands: one that submits a script and prints the number of the job, and one that
says of a number "running", "success" or "failed". A job itself writes its exit status to a file,
because not every cluster keeps it, or not for long enough.
"""

import os
import re
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

# Where the files of submitted jobs are, in the working directory.
_FOLDER = ".snakemake/queue"
# The variable that tells a job how its files begin. All schedulers hand on the environment.
_VARIABLE = "SNAKEMESH_JOB"
# Seconds for which a job that the scheduler refuses is submitted again, and between two tries.
_REFUSED_S = 600
_AGAIN_S = 20
# Seconds until the file that an ended job has written must be seen here.
_LATE_S = 60
# Seconds that a command of a scheduler may take.
_COMMAND_S = 60
_CONDOR = """executable = /bin/sh
arguments = {script}
getenv = True
request_cpus = {cores}
request_memory = {memory_mb}MB
periodic_remove = (JobStatus == 5) || (JobStatus == 2 && time() - EnteredCurrentStatus > {seconds})
log = {files}.condor
{options}
queue
"""
# States in which a job still runs or will: idle, running, transferring its output, suspended.
_CONDOR_ALIVE = {"1", "2", "6", "7"}


def submit(
    queue: str, memory_mb: int, minutes: int, cores: int, options: Sequence[str], script: str
) -> str:
    """Submit a script, and return the scheduler's number of the job.

    queue: "sge", "pbs" or "condor". options: further ones of its command, or lines of a description
    for HTCondor. Where the scheduler refuses it, it is tried again for ten minutes.
    Raises RuntimeError with what the scheduler says.
    """
    os.makedirs(_FOLDER, exist_ok=True)
    files = os.path.abspath(f"{_FOLDER}/{uuid.uuid4().hex}")
    line, given = _submission(queue, memory_mb, minutes, cores, options, script, files)
    give_up = time.monotonic() + _REFUSED_S
    while True:
        done = subprocess.run(
            line,
            input=given,
            env=os.environ | {_VARIABLE: files},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        number = re.search(r"^\d+", done.stdout, re.MULTILINE)
        if done.returncode == 0 and number is not None:
            break
        if time.monotonic() > give_up:
            raise RuntimeError(f"{line[0]} refused a job for 10 min: {done.stdout.strip()}")
        time.sleep(_AGAIN_S)
    _record(number[0]).write_text(files)
    return number[0]


def status(queue: str, number: str) -> str:
    """Whether a job is "running", a "success" or "failed".

    A job counts as running while the scheduler does not answer. If the scheduler no longer knows
    the job, it counts as running for another minute, because the file with its exit status may be
    seen late. The log of a success is removed.
    """
    record = _record(number)
    try:
        files = Path(record.read_text())
    except OSError:
        return "failed"
    found = _ended(files)
    if found is None and (_is_alive(queue, number) or not _is_long_gone(files)):
        return "running"
    kept = () if found == 0 else (".log",)
    for path in (record, *files.parent.glob(f"{files.name}.*")):
        if path.suffix not in kept:
            path.unlink(missing_ok=True)
    return "success" if found == 0 else "failed"


def _submission(
    queue: str,
    memory_mb: int,
    minutes: int,
    cores: int,
    options: Sequence[str],
    script: str,
    files: str,
) -> tuple[list[str], str | None]:
    """The line that submits a script, and what it reads from its standard input."""
    quiet = ["-j", "y", "-o", "/dev/null"]
    if queue == "sge":
        # memory is counted for each slot
        limits = f"h_vmem={-(-memory_mb // cores)}M,h_rt=0:{minutes}:0"
        line = ["qsub", "-terse", "-cwd", "-V", "-S", "/bin/sh", *quiet, "-l", limits]
        return [*line, *options, script], None
    if queue == "pbs":
        select = f"select=1:ncpus={cores}:mem={memory_mb}mb"
        line = ["qsub", "-V", "-j", "oe", "-o", "/dev/null", "-l", select]
        return [*line, "-l", f"walltime=0:{minutes}:0", *options, script], None
    description = _CONDOR.format(
        script=script,
        cores=cores,
        memory_mb=memory_mb,
        seconds=60 * minutes,
        files=files,
        options="\n".join(options),
    )
    return ["condor_submit", "-terse", "-"], description


def _is_alive(queue: str, number: str) -> bool:
    """Whether the scheduler has a job, or does not answer."""
    line = {
        "sge": ["qstat", "-j", number],
        "pbs": ["qstat", "-f", number],
        "condor": ["condor_q", number, "-af", "JobStatus"],
    }[queue]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return True
    if done.returncode != 0:
        gone = r"do not exist|Unknown Job|has finished|not found"
        return re.search(gone, done.stdout + done.stderr, re.IGNORECASE) is None
    if queue == "sge":  # a job in error waits for ever
        if re.search("^error reason", done.stdout, re.MULTILINE) is None:
            return True
        subprocess.run(["qdel", number], capture_output=True, check=False)
        return False
    if queue == "pbs":
        return re.search(r"job_state = [CFX]\b", done.stdout) is None
    return done.stdout.strip() in _CONDOR_ALIVE


def _ended(files: Path) -> int | None:
    """The exit status that a job has written; None if it has not."""
    os.scandir(files.parent).close()  # NFS asks the server anew
    try:
        return int(files.with_suffix(".exit").read_text())
    except (OSError, ValueError):
        return None


def _is_long_gone(files: Path) -> bool:
    """Whether the scheduler has not listed a job for more than `_LATE_S` seconds.

    By then its file with the exit status would have appeared. files: the path of the job's files.
    """
    gone = files.with_suffix(".gone")
    try:
        return time.time() - gone.stat().st_mtime > _LATE_S
    except OSError:
        gone.touch()
        return False


def _record(number: str) -> Path:
    return Path(f"{_FOLDER}/{number.split('.')[0]}.job")
