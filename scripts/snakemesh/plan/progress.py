"""How far a run is, how fast it goes, and when it will be done: a line in Snakemake's log.

The line comes every few seconds. Jobs differ a thousandfold in size, so their number says little: a
run is as far as the part of its expected work that is done.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from snakemesh.plan.estimates import Work

SECONDS_BETWEEN_LINES = 10


class ProgressHandler(logging.Handler):
    """Listens for the jobs that Snakemake reports as finished, and says how far the run is.

    works: by Snakemake's number of the job, the work of every job of the run. say: is called with
    each line. end: is called when all jobs are done. The clock starts when the handler is made.
    """

    def __init__(
        self, works: Mapping[int, Work], say: Callable[[str], None], end: Callable[[], None]
    ) -> None:
        super().__init__()
        self._left = dict(works)
        self._jobs = len(works)
        self._all = sum(works.values(), Work(0, 0))
        self._done = Work(0, 0)
        self._say = say
        self._end = end
        self._start = self._said = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a finished job, and say a line if the latest one is some seconds old."""
        work = self._left.pop(getattr(record, "job_id", -1), None)
        if work is None:
            return
        self._done += work
        now = time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES or not self._left:
            self._said = now
            self._say(self._line(now - self._start))
        if not self._left:
            self._end()

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
