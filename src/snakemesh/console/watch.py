"""What a run prints while it goes on: how far it is, and which jobs have failed."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from itertools import dropwhile

from snakemesh.console.failed_jobs import Attempt, FailedJobsHandler, Failure
from snakemesh.console.progress import ProgressHandler
from snakemesh.console.quiet import SHOWN, QuietHandler
from snakemesh.cost.estimates import Work
from snakemesh.cost.shortages import Shortages
from snakemesh.output.folder import OutputFolder
from snakemesh.units import counted

# How many failures a run prints. The list of failures has all of them.
MOST_TOLD = 20
# Seconds between lines about progress in a run that is not quiet.
SECONDS_BETWEEN_LINES = 10


def watch_run(
    logger: logging.Logger,
    quiet: QuietHandler | None,
    folder: OutputFolder,
    works: Mapping[int, Work],
    shortages: Shortages,
    end: Callable[[], None],
) -> None:
    """Listen to a run that begins now, and print how it goes.

    quiet: the handler that shows only some messages; None where Snakemake shows all of its own,
    which include failures. works: the work of every job, by Snakemake's number of the job.
    shortages: gets what failed jobs were short of. end: is called when all jobs are done.
    """

    def say(line: str) -> None:
        logger.info(line, extra=SHOWN)

    def say_in_line(line: str) -> None:
        if quiet is not None:
            quiet.stop()  # it is the last line
        say(line)

    failures = Failures(logger, quiet, folder)
    failed = FailedJobsHandler(folder, shortages, failures.tell, failures.tell_of_retry)
    seconds = SECONDS_BETWEEN_LINES if quiet is None else math.inf
    progress = ProgressHandler(works, lambda: failed.count, say_in_line, end, seconds)
    logger.addHandler(failed)
    logger.addHandler(progress)
    if quiet is not None:
        quiet.start(
            progress.line,
            lambda line: say(f"progress: {line}"),
            lambda: verdict(failed.count, folder),
        )


class Failures:
    """Prints the first failures of a quiet run."""

    def __init__(
        self, logger: logging.Logger, quiet: QuietHandler | None, folder: OutputFolder
    ) -> None:
        self._logger = logger
        self._quiet = quiet
        self._folder = folder
        self._told = 0

    def tell(self, failure: Failure) -> None:
        """Say what failed, why, and where its log is."""
        if self._quiet is None or self._told > MOST_TOLD:
            return
        self._told += 1
        if self._told > MOST_TOLD:
            text = f"more jobs fail; {self._folder.failures} lists them all"
        else:
            text = _failure_text(failure)
        if failure.rule == "verify_table" and (report := verify_report(failure.log)):
            self._quiet.print(report)
        self._logger.error(text, extra=SHOWN)

    def tell_of_retry(self, attempt: Attempt, resources: Mapping[str, object]) -> None:
        """Say that a job that failed is started again, and what it asks for now."""
        if self._quiet is None or self._told > MOST_TOLD:
            return
        line = f"tried again: {attempt.name}, attempt {attempt.number}"
        memory, minutes = resources.get("mem_mb"), resources.get("runtime")
        if isinstance(memory, int) and isinstance(minutes, int):
            line += f", with {memory / 1000:.1f} GB of memory and {minutes:,} minutes"
        self._logger.warning(line, extra=SHOWN)


def _failure_text(failure: Failure) -> str:
    """What failed and why, in a line, and where its log is, in another."""
    which = f"failed: {failure.rule} {failure.job}".rstrip()
    if failure.attempt > 1:
        which += f", attempt {failure.attempt}"
    where = f"\n  log: {failure.log}" if failure.log else ""
    return f"{which}: {failure.reason}{where}"


def verdict(failed: int, folder: OutputFolder) -> str | None:
    """What to say at the end of a run, if jobs have failed for good."""
    if not failed:
        return None
    lists = f"{folder.failures} lists all failures"
    return f"{counted(failed, 'job')} failed; {lists}. The same command tries again."


def verify_report(log: str) -> str:
    """The table in the log of rule verify_table, without the last line, which is about the job.

    It is "" if the job ended before it printed one.
    """
    if not os.path.exists(log):
        return ""
    with open(log) as file:
        lines = file.read().splitlines()[:-1]
    return "\n".join(dropwhile(lambda line: not line.startswith("verify: "), lines))
