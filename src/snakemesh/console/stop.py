"""Ends a run from within, at once: as Ctrl-C does, and with its jobs on this machine."""

import os
import signal
import time
from contextlib import suppress

# Stands for Ctrl-C. SIGINT itself is ignored in a run that a script has started with `&`, and on
# SIGTERM Snakemake waits for its jobs, or for a lock that it holds itself.
_SIGNAL = signal.SIGUSR1
# Seconds between two looks for jobs that still run.
_LOOK_S = 0.5


def make_stoppable() -> None:
    """Prepare the run for `stop_run`.

    Only the main thread can. A program that runs Snakemake in another one is ended as a whole.
    """
    with suppress(ValueError):
        signal.signal(_SIGNAL, signal.default_int_handler)


def stop_run() -> None:
    """Have Snakemake cancel its jobs and end; does not return. Not for the main thread.

    Snakemake cancels jobs of a cluster, but waits for those on this machine: these are ended here.
    What jobs have left stays as it is.
    """
    import psutil  # Snakemake needs it too; nearly no run needs it here

    os.kill(os.getpid(), _SIGNAL)  # first of all, so that no job is started again
    while True:
        for job in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                job.terminate()
        time.sleep(_LOOK_S)
