"""Which of Snakemake's messages the person who waits for a run sees.

Snakemake's own `--quiet` also takes messages out of its log file. A logger plugin of our own, which
profiles/default chose, would silently replace the logger that a site's profile names, and would
give way to any other `--logger`. So Snakemake's handler for the terminal is replaced by one like it
that shows only what matters. The log file has all messages.
"""

import itertools
import logging
import re
from collections.abc import Callable

from snakemake.logging import ColorizingTextHandler

from snakemesh.console.run_start import NOTHING
from snakemesh.console.screen import Screen
from snakemesh.cost.failure_reasons import INTERRUPTED

# Marks a message of ours that is to be shown: logger.info(text, extra=SHOWN)
SHOWN = {"is_shown": True}
# The beginning of Snakemake's message when jobs have failed for good.
_FAILED = "Exiting because a job execution failed"
# The beginnings of messages below a warning that are shown.
_FOR_PEOPLE = (INTERRUPTED, "Will exit after finishing", NOTHING, "Complete log")
# The beginning of a message that comes before the run starts and helps nobody.
_NOISE = "Assuming unrestricted shared filesystem usage"
# Messages about the exit code of a job. `failed_jobs` reports its failure.
_EXIT_CODE = re.compile(r"CalledProcessError in file.*(non-zero exit status|died with)", re.DOTALL)


class QuietHandler(logging.Handler):
    """Writes to the terminal what the person who waits wants to know, as Snakemake's handler does.

    terminal: Snakemake's handler, which this one replaces. Until Snakemake starts a workflow, every
    message is shown: commands that only ask for information (--lint, --summary, --unlock, ...) say
    all that they have to say.
    """

    def __init__(self, terminal: ColorizingTextHandler) -> None:
        super().__init__()
        self._screen = Screen(terminal.stream)
        self._terminal = ColorizingTextHandler(terminal.nocolor, self._screen, terminal.formatter)
        for each in terminal.filters:
            self._terminal.addFilter(each)
        self._has_started = False
        self._said: set[str] = set()
        self._verdict: Callable[[], str | None] = lambda: None

    def start(
        self, line: Callable[[], str], say: Callable[[str], None], verdict: Callable[[], str | None]
    ) -> None:
        """Begin to show the line that moves.

        line, say: see Screen.start. verdict: returns what to say instead of Snakemake's words when
        the run fails, or None to leave them.
        """
        self._verdict = verdict
        self._screen.start(line, say)

    def stop(self) -> None:
        """Take the line away for good."""
        self._screen.stop()

    def print(self, text: str) -> None:
        """Print to the standard output, above the line."""
        self._screen.write("")
        print(text, flush=True)
        self._screen.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a message on, or do not."""
        text = record.getMessage()
        if getattr(record, "event", None) == "workflow_started":
            self._has_started = True
        if text.startswith((INTERRUPTED, _FAILED)):
            self._screen.stop()
        if text.startswith(_FAILED) and (verdict := self._verdict()):
            record = logging.makeLogRecord(vars(record) | {"msg": verdict})
        is_early = not self._has_started and not text.startswith(_NOISE)
        if is_early or self._is_shown(record, text):
            self._terminal.handle(record)

    def close(self) -> None:
        """Leave the terminal without the line."""
        self._screen.stop()
        super().close()

    def _is_shown(self, record: logging.LogRecord, text: str) -> bool:
        event = getattr(record, "event", None)
        if hasattr(record, "is_shown") or event == "debug_dag":
            return True
        if record.levelno >= logging.ERROR:
            return event not in ("job_error", "group_error") and not _EXIT_CODE.search(text)
        if record.levelno < logging.WARNING and not text.startswith(_FOR_PEOPLE):
            return False
        # some warnings come with each of 20,000 jobs
        is_new = text not in self._said
        self._said.add(text)
        return is_new


def quieted(logger: logging.Logger) -> QuietHandler | None:
    """Make what a run prints quiet. None if Snakemake does not write to the terminal itself."""
    is_terminal = (type(handler) is ColorizingTextHandler for handler in logger.handlers)
    terminal = next(itertools.compress(logger.handlers, is_terminal), None)
    if terminal is None:
        return None
    quiet = QuietHandler(terminal)
    logger.removeHandler(terminal)
    logger.addHandler(quiet)
    return quiet
