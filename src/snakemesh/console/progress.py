"""How far a run is, how fast it goes, and when it will be done, in a line.

Jobs differ a thousandfold in size. So progress is the share of the expected work that is done, not
the share of the jobs.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from snakemesh.cost.estimates import Work
from snakemesh.units import counted


class ProgressHandler(logging.Handler):
    """Listens for the jobs that Snakemake starts and ends, and says how far the run is.

    works: by Snakemake's number of the job, the work of every job of the run. failed: the number of
    jobs that have failed so far. say: is called with a line when a job is done and the latest line
    is `seconds` old, and when all are done. end: is called then. The clock starts when the handler
    is made.
    """

    def __init__(
        self,
        works: Mapping[int, Work],
        failed: Callable[[], int],
        say: Callable[[str], None],
        end: Callable[[], None],
        seconds: float,
    ) -> None:
        super().__init__()
        self._left = dict(works)
        self._jobs = len(works)
        self._all = sum(works.values(), Work(0, 0))
        self._done = Work(0, 0)
        # by number of a job that is running, whether it runs on this machine
        self._running: dict[int, bool] = {}
        self._failed = failed
        self._say = say
        self._end = end
        self._seconds = seconds
        self._start = self._said = self._latest = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a job that starts or ends, and say a line if the latest one is old."""
        facts = vars(record)
        match facts.get("event"):
            case "job_info" if facts["jobid"] in self._left:
                self._running[facts["jobid"]] = facts["local"]
            case "job_error":
                self._running.pop(facts["jobid"], None)
            case "job_finished":
                self._finish(facts["job_id"])

    def line(self) -> str:
        """How far the run is now."""
        self.acquire()
        try:
            return self._line(time.monotonic())
        finally:
            self.release()

    def _finish(self, job: int) -> None:
        self._running.pop(job, None)
        work = self._left.pop(job, None)
        if work is None:
            return
        self._done += work
        now = self._latest = time.monotonic()
        if now - self._said >= self._seconds or not self._left:
            self._said = now
            self._say(f"progress: {self._line(now)}")
        if not self._left:
            self._end()

    def _line(self, now: float) -> str:
        part = self._done.seconds / self._all.seconds
        elapsed, latest = now - self._start, self._latest - self._start
        words = [f"{100 * part:.0f} % of the work"]
        if not self._left:
            speed = f"{self._done.voxels / latest / 1e6:.3g} Mvoxel/s"
            took = f"done in {timedelta(seconds=round(latest))}"
            return ", ".join([*words, f"{self._jobs:,} jobs", speed, took])
        if self._done.voxels:
            words.append(f"{self._done.voxels / latest / 1e6:.3g} Mvoxel/s")
        running = "running" if all(self._running.values()) else "submitted"
        words += [f"{counted(len(self._running), 'job')} {running}", f"{self._failed():,} failed"]
        if part:
            # the expected end moves when a job is done, and stays while jobs run
            end = datetime.now() + timedelta(seconds=max(latest / part - elapsed, 0))
            words.append(f"until {end:%a %H:%M}")
        else:
            words.append(f"{timedelta(seconds=int(elapsed))} so far")
        return ", ".join(words)
