"""Ends jobs that are still starting without a word when somebody presses Ctrl-C.

The terminal sends SIGINT to Snakemake and to all jobs at once. A job answers in its log once
`job_log` has opened the log. Before, for the second that Python and its imports take, Python would
print a traceback to the terminal: behind the line that moves, half of which would stay. A Python
that has only just begun would even end with exit status 1, like a job that has failed.

So a job starts with SIGINT blocked. The first statement of its script chooses the system's default,
which is to end the process, and lets the signal in. `job_log` and the end of the job do the rest.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snakemake.script import PythonScript

# Where Ctrl-C is ignored, as in a run that a shell has started with `&`, it stays ignored.
_FIRST_STATEMENT = (
    "import signal; "
    "signal.getsignal(signal.SIGINT) == signal.SIG_IGN"
    " or signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT}); "
    "del signal\n"
)
# Snakemake's methods that write the head of a script, and that run a script and wait for it.
_HEAD, _RUN = "get_preamble", "execute_script"


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Start processes that block SIGINT: they inherit what the thread that starts them blocks."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_starting_jobs_silently() -> None:
    """Have every script that this process starts from now on end silently on Ctrl-C.

    For a run whose scripts all use `job_log`. A Snakemake without these methods stays as it is.
    """
    if not (hasattr(PythonScript, _HEAD) and hasattr(PythonScript, _RUN)):
        return
    head, run = getattr(PythonScript, _HEAD), getattr(PythonScript, _RUN)

    def with_first_statement(script: Any) -> str:
        return _FIRST_STATEMENT + str(head(script))

    def run_with_signal_blocked(script: Any, *arguments: Any, **options: Any) -> None:
        with ctrl_c_blocked():
            run(script, *arguments, **options)

    setattr(PythonScript, _HEAD, with_first_statement)
    setattr(PythonScript, _RUN, run_with_signal_blocked)
