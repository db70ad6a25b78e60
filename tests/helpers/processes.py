"""The processes of a job or of a run: all those of the session in which it was started."""

import os
import signal
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Session:
    """Processes of one session. rss: bytes they hold together; a shared page counts for each."""

    pids: list[int] = field(default_factory=list)
    rss: int = 0


def sessions() -> dict[int, Session]:
    """All processes of this machine, by the id of their session (proc(5), /proc/PID/stat)."""
    found: dict[int, Session] = defaultdict(Session)
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with suppress(OSError):  # the process has ended
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                session = found[int(fields[3])]
                session.pids.append(int(entry))
                session.rss += int(fields[21]) * PAGE
    return found


def send(session: int, number: int) -> None:
    """Send a signal to every process of a session."""
    for pid in sessions()[session].pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill(session: int) -> None:
    """Kill every process of a session, including those that start meanwhile."""
    while sessions()[session].pids:
        send(session, signal.SIGKILL)
        time.sleep(0.01)
