"""Why a job failed, in one line, from what it left behind."""

import re
import signal
from collections.abc import Iterable

# The last line of the log of a job that succeeded (see output.job_log).
_SUCCESS = re.compile(r"  seconds \S+  peak_mb \d+  snakemesh \S+$")
# What clusters write into their own log of a job that they end: why, or at least that they did.
_ENDED_BY_CLUSTER = (
    re.compile(
        r"TERM_[A-Z]+|oom.kill|out of memory|memory limit|time limit|node failure|disk quota",
        re.IGNORECASE,
    ),
    re.compile(r"CANCELLED|\bKilled\b"),
)
# What remote executors add to each message.
_ADVICE = "For further error details see the cluster/cloud log"
# How Snakemake's message begins when a user interrupts a run.
INTERRUPTED = "Terminating processes on user request"
# Of a log, so many bytes at its end are read.
_TAIL = 1 << 16


def log_says_success(path: str) -> bool:
    """Whether the log is that of a job of ours that succeeded."""
    lines = _last_lines(path)
    return bool(lines) and _SUCCESS.search(lines[-1]) is not None


def reason_in_log(path: str, job: str) -> str | None:
    """The line of the log of a job of ours that says why it failed; None if there is none.

    job: rule and job, with which the line may begin.
    """
    lines = _last_lines(path)
    if not lines or _SUCCESS.search(lines[-1]):
        return None
    frames = [i for i, line in enumerate(lines) if line.startswith("  File ")]
    if frames:  # the line after the last frame; a message can have more of them
        message = (line for line in lines[frames[-1] + 1 :] if not line.startswith(" "))
        return next(message, lines[-1])
    return lines[-1].strip().removeprefix(f"{job}: ")


def reason_in_cluster_logs(paths: Iterable[str]) -> tuple[str, str] | None:
    """The line of the cluster's own logs that says why it ended a job, and the path of the log."""
    for path in paths:
        lines = _last_lines(path)
        for pattern in _ENDED_BY_CLUSTER:
            for line in reversed(lines):
                if pattern.search(line):
                    return line.strip(), path
    return None


def reason_in_message(message: str) -> str | None:
    """What an executor says of a failed job, in one line; None if it says nothing."""
    text = " ".join(message.split(_ADVICE)[0].split())
    return text or None


def reason_in_exception(text: str) -> str:
    """What Snakemake's error about a local job says in its last line, with signals named."""
    code, name = _exit_status(text)
    if name is None and code is None:
        return text.strip().splitlines()[-1].strip()
    if name is None:
        return f"its script ended with exit status {code}"
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by the signal {name}{hint}"


def is_interruption(text: str) -> bool:
    """Whether Snakemake's error about a local job says that Ctrl-C has ended it."""
    return _exit_status(text)[1] == "SIGINT"


def _exit_status(text: str) -> tuple[int | None, str | None]:
    """The exit status that Snakemake's error names, and the signal that it stands for."""
    found = re.search(r"non-zero exit status (\d+)\.?\s*$|died with <Signals\.(\w+)", text)
    if found is None or found[2]:
        return None, found and found[2]
    code = int(found[1])
    # a shell adds 128 to the number of the signal that has ended its command
    return code, signal.Signals(code - 128).name if code - 128 in set(signal.Signals) else None


def _last_lines(path: str) -> list[str]:
    """The lines at the end of a text file that are not blank; none if it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(max(file.seek(0, 2) - _TAIL, 0))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()]
