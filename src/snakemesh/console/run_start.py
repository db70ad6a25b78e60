"""The start of a run, also where another workflow uses this one as a module.

Snakemake calls the `onstart` of the main Snakefile only, and not with --no-hooks. But before the
first job of any run, it logs how many jobs there are.
"""

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.output.folder import OutputFolder

# How Snakemake's message begins when there is no job.
NOTHING = "Nothing to be done"


class StartHandler(logging.Handler):
    """Listens to Snakemake, and begins the run before the first job of ours.

    begin: is called when Snakemake has all jobs. It returns False if none of them is ours. Then it
    is called again before a job of ours starts: a checkpoint of another workflow can add jobs. What
    it raises ends the run. folder: where our jobs have their logs. idle: is called instead where
    there is no job at all.
    """

    def __init__(
        self, begin: Callable[[], bool], folder: OutputFolder, idle: Callable[[], None]
    ) -> None:
        super().__init__()
        self._begin = begin
        self._idle = idle
        self._folder = folder
        self._has_begun = False

    def emit(self, record: logging.LogRecord) -> None:
        """Begin, if this is the moment."""
        if not self._has_begun and self._is_due(record):
            self._has_begun = self._begin()
        elif record.getMessage().startswith(NOTHING):
            self._idle()

    def _is_due(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        if event == "job_info":
            return self._folder.rule_of_logs(getattr(record, "log", ())) is not None
        return event == "run_info"


def refuse_read_only_folder(snakefile: str) -> None:
    """Raise UserError if Snakemake cannot keep its records in the working directory.

    snakefile: its path, for the command that the message gives instead.
    """
    records = Path.cwd() / ".snakemake"
    folder = records if records.exists() else records.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(
            f"{folder} cannot be written to, and Snakemake keeps its records there; go to a folder "
            f"of your own and add --snakefile {snakefile} to the same command"
        )


def make_folders(files: Iterable[str]) -> None:
    """Make the folders of the files that jobs write, before the first job starts.

    Snakemake makes them when a job starts. If it cannot, the whole run ends with an error of many
    lines. Raises OSError.
    """
    for folder in sorted({os.path.dirname(path) for path in files}):
        os.makedirs(folder, exist_ok=True)
