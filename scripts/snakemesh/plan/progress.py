"""How far a run is, how fast, and when it will be done: a line in Snakemake's log now and then.

Jobs differ a thousandfold, so that their number says little: a run is as far as the part of the
expected work that is done.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from snakemesh.plan.estimates import Work

SECONDS_BETWEEN_LINES = 10


class ProgressHandler(logging.Handler):
    """Listens to Snakemake's events of finished jobs, and reports on them.

    works: the work of every job that is to be run, by Snakemake's number of the job. say: takes the
    line. The clock starts now.
    """

    def __init__(self, works: Mapping[int, Work], say: Callable[[str], None]) -> None:
        super().__init__()
        self._left = dict(works)
        self._jobs = len(works)
        self._all = sum(works.values(), Work(0, 0))
        self._done = Work(0, 0)
        self._say = say
        self._start = self._said = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a job that has finished, and say so when the last line is some seconds old."""
        work = self._left.pop(getattr(record, "job_id", None), None)
        if work is None:
            return
        self._done += work
        now = time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES or not self._left:
            self._said = now
            self._say(self._line(now - self._start))

    def _line(self, elapsed: float) -> str:
        part = self._done.seconds / self._all.seconds
        line = (
            f"progress: {100 * part:.0f} % of the work, {self._jobs - len(self._left):,} of "
            f"{self._jobs:,} jobs, {self._done.voxels / elapsed / 1e6:.3g} Mvoxel/s"
        )
        if not self._left:
            return f"{line}, done in {timedelta(seconds=round(elapsed))}"
        rest = timedelta(seconds=round(elapsed / part - elapsed))
        return f"{line}, {rest} to go, until {datetime.now() + rest:%A %H:%M}"
