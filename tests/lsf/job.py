"""A job of the cluster."""

import subprocess
from dataclasses import dataclass

from lsf.syntax import Submission


@dataclass(eq=False)
class Job:
    """A job. Times are in seconds since 1970.

    peak: most memory it was seen to hold, in bytes. lost: neither bjobs nor the event log tells of
    it again. forgotten: bjobs does not know it once it has ended.
    """

    id: int
    asked: Submission
    name: str
    queue: str
    cwd: str
    environment: dict[str, str]
    uid: int
    user: str
    submitted: float
    status: str = "PEND"
    host: str | None = None
    process: subprocess.Popen | None = None
    started: float = 0.0
    ended: float = 0.0
    peak: int = 0
    exit_code: int = 0
    reason: str | None = None
    lost: bool = False
    forgotten: bool = False

    @property
    def occupies_slots(self) -> bool:
        return self.status in ("RUN", "UNKWN", "USUSP")

    @property
    def has_ended(self) -> bool:
        return self.status in ("DONE", "EXIT")
