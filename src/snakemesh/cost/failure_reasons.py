"""Why a job failed, in one line, and what it was short of, as its logs say."""

import re
import signal
from collections.abc import Iterable, Mapping

# The resources that a job can be short of, as Snakemake calls them.
MEMORY = "mem_mb"
TIME = "runtime"
# The last line of the log of a job that succeeded (see output.job_log).
_SUCCESS = re.compile(r"  seconds \S+  peak_mb \d+  snakemesh \S+$")
# What clusters write into their own log of a job that they end.
_ENDED_BY_CLUSTER = (
    re.compile(
        r"TERM_[A-Z]+|oom.kill|out of memory|memory limit|time limit|node failure|disk quota",
        re.IGNORECASE,
    ),
    re.compile(r"CANCELLED|\bKilled\b"),
    # what Snakemake in the cluster's job says of the process of a job of ours
    re.compile(r"died with <Signals\.|non-zero exit status 137\b"),
    re.compile(r"Exited with exit code \d+|Exited by .*signal"),
)
# What each kind of text says a job was short of. The system kills with SIGKILL (9) where memory
# runs out, and a shell makes 128 + 9 of it.
_SHORT_OF = {
    MEMORY: re.compile(
        r"TERM_(MEMLIMIT|SWAP)|oom.?kill|out.of.memory|memory limit|MemoryError|bad_alloc"
        r"|unable to allocate|cannot allocate memory|SIGKILL|(exit status|exit code) 137\b"
        r"|\bKilled$",
        re.IGNORECASE,
    ),
    TIME: re.compile(r"TERM_(RUNLIMIT|CPULIMIT)|(?i:time limit)|'(TIMEOUT|DEADLINE)'"),
}
# States of a job in which it has not ended by itself, and was short of nothing.
_TAKEN_AWAY = re.compile(r"'(NODE_FAIL|BOOT_FAIL|CANCELLED|PREEMPTED|REVOKED)")
# What remote executors add to each message.
_ADVICE = "For further error details see the cluster/cloud log"
# How Snakemake's message begins when a user interrupts a run.
INTERRUPTED = "Terminating processes on user request"
# How many bytes at the end of a log are read.
_TAIL = 1 << 16


def log_says_success(path: str) -> bool:
    """Whether the log is that of a job of ours that succeeded."""
    lines = _last_lines(path)
    return bool(lines) and _SUCCESS.search(lines[-1]) is not None


def reason_in_log(path: str, job: str) -> str | None:
    """The line of a log of ours that says why the job failed; None if there is none.

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


def reason_in_cluster_logs(
    paths: Iterable[str], known: Mapping[str, int]
) -> tuple[str, str] | None:
    """The line of the cluster's own logs that says why it ended a job, and the path of the log.

    known: by path, how many bytes earlier attempts had written: they say nothing of this one.
    """
    for path in paths:
        lines = _last_lines(path, known.get(path, 0))
        for pattern in _ENDED_BY_CLUSTER:
            for line in reversed(lines):
                if pattern.search(line):
                    is_of_process = _exit_status(line) != (None, None)
                    return reason_in_exception(line) if is_of_process else line.strip(), path
    return None


def short_of(reasons: Iterable[str], message: str) -> frozenset[str]:
    """What a failed job was short of: MEMORY, TIME, or nothing; both where that is not known.

    reasons: what the logs of the cluster and of the job say, the best one first. message: what the
    executor says, "" if nothing.
    """
    reasons = list(reasons)
    for text in (*reasons, message):
        for resource, pattern in _SHORT_OF.items():
            if pattern.search(text):
                return frozenset({resource})
    is_known = reasons or _TAKEN_AWAY.search(message)
    return frozenset() if is_known else frozenset(_SHORT_OF)


def reason_in_message(message: str) -> str:
    """The message of an executor about a failed job, in one line."""
    return " ".join(message.split(_ADVICE)[0].split())


def reason_in_exception(text: str) -> str:
    """The last line of Snakemake's error about a local job, with signals named."""
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


def _last_lines(path: str, begin: int = 0) -> list[str]:
    """The lines at the end of a text file that are not blank; none if it cannot be read.

    begin: lines before this byte do not count.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(file.seek(0, 2) - _TAIL, begin))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()]
