"""What snakemesh adds to Snakemake's plugin for a cluster, whichever cluster it is.

- Logs of the cluster go under the output, not into the clone.
- A run that was killed leaves its jobs queued or running. The run after it awaits those that make
  just what it needs, and ends the others before it submits any.
- Files of other nodes are looked for where they must be (`refresh_folders`).
"""

import hashlib
import json
import os
import subprocess
import time
from abc import abstractmethod
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemesh.clusters.submitted_jobs import (
    Submitted,
    SubmittedRun,
    add_submitted,
    begin_submitted,
    read_submitted,
)
from snakemesh.console.failed_jobs import CLUSTER_SAYS
from snakemesh.console.quiet import SHOWN
from snakemesh.output.folder import OutputFolder

# Times that the cluster is asked for the jobs of the run before, and seconds between two of them.
_ASKED_TIMES = 7
_ASK_AGAIN_S = 10
# Seconds for which the answer of the cluster counts.
_FRESH_S = 30
# Seconds that a run waits until the jobs that it ends have ended.
_ENDING_S = 60
# Seconds that a command of a cluster may take, and how many jobs one command ends.
_COMMAND_S = 60
_AT_ONCE = 200


class ClusterExecutor(RemoteExecutor):  # type: ignore[misc]
    """A base beside the executor of a plugin, which must come after it.

    folder: of the run's output. scheduler: "lsf" or "slurm". end_command: ends jobs.
    """

    folder: ClassVar[OutputFolder]
    scheduler: ClassVar[str]
    end_command: ClassVar[str]
    run_uuid: str  # the plugin asks for the jobs whose names contain it

    def __post_init__(self) -> None:
        self._has_begun = False
        self._awaited: dict[str, Submitted] = {}
        self._alive: set[str] = set()
        self._asked_at = 0.0
        super().__post_init__()

    @abstractmethod
    def alive_jobs(self) -> set[str] | None:
        """The numbers of the jobs of `run_uuid` that wait or run; None if the cluster is silent."""

    @abstractmethod
    def aux_of(self, log: str) -> dict[str, Any]:
        """What the plugin keeps of a submitted job. log: the path of the log of the cluster."""

    def end_jobs(self, jobs: Sequence[str]) -> None:
        """End jobs of these numbers. A command fails, but goes on, if one of them has ended."""
        for begin in range(0, len(jobs), _AT_ONCE):
            answer([self.end_command, *jobs[begin : begin + _AT_ONCE]])

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs, except those that the run before has submitted and that still run."""
        if not self._has_begun and any(self.is_ours(job) for job in jobs):
            self._has_begun = True
            self._take_over(read_submitted(self.folder.submitted))
        new = [job for job in jobs if not self._is_awaited(job)]
        if new:
            super().run_jobs(new)

    def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
        """Tell Snakemake that a job is submitted, and keep its number."""
        if job_info.external_jobid is not None and self.is_ours(job_info.job):
            log = next((str(path) for path in (job_info.aux or {}).values()), "")
            products = products_of(job_info.job)
            add_submitted(
                self.folder.submitted, Submitted(str(job_info.external_jobid), products, log)
            )
        super().report_job_submission(job_info, register_job=register_job)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Tell Snakemake that a job is done, when its files can be seen here."""
        refresh_folders(files_of(job_info.job))
        super().report_job_success(job_info)

    def print_job_error(
        self, job_info: SubmittedJobInfo, msg: str | None = None, **facts: Any
    ) -> None:
        """Log that a job has failed. For a group, Snakemake leaves out what the cluster says."""
        refresh_folders([path for path in facts.get("aux_logs") or () if path])
        if job_info.job.is_group():
            facts[CLUSTER_SAYS] = msg
        super().print_job_error(job_info, msg, **facts)

    def is_ours(self, job: JobExecutorInterface) -> bool:
        """Whether a job or a group is of this workflow, not of one that uses it as a module."""
        return any(self.folder.rule_of_logs(one.log) is not None for one in _single(job))

    def _take_over(self, before: SubmittedRun | None) -> None:
        """Await the jobs of the run before that this one needs, and end the others."""
        if before is not None and before.scheduler == self.scheduler:
            # the names of new jobs contain the same text, and the plugin asks for both at once
            self.run_uuid = before.name
            alive = self._ask()
            if alive is None:
                self._say("the cluster does not say which jobs of the previous run are left")
            elif alive:
                self._divide(before, alive)
            self._tidy_logs()
        awaited = self._awaited.values()
        begin_submitted(self.folder.submitted, self.scheduler, self.run_uuid, awaited)

    def _ask(self) -> set[str] | None:
        for _ in range(_ASKED_TIMES - 1):
            if (alive := self.alive_jobs()) is not None:
                return alive
            time.sleep(_ASK_AGAIN_S)
        return self.alive_jobs()

    def _divide(self, before: SubmittedRun, alive: set[str]) -> None:
        # a file that is there already does not show that the old job has made it
        needed = {
            products_of(job)
            for job in {self.dag.get_job_group(one) or one for one in self.dag.needrun_jobs()}
            if not any(map(os.path.lexists, files_of(job)))
        }
        known = (job for number, job in before.jobs.items() if number in alive)
        self._awaited = {job.products: job for job in known if job.products in needed}
        self._alive, self._asked_at = alive, time.monotonic()
        others = alive - {job.external for job in self._awaited.values()}
        counts = f"{len(self._awaited):,} awaited, {len(others):,} ended"
        self._say(f"jobs of the previous run: {counts}")
        if not others:
            return
        self.end_jobs(sorted(others))
        give_up = time.monotonic() + _ENDING_S
        while others & (self.alive_jobs() or set()) and time.monotonic() < give_up:
            time.sleep(1)

    def _tidy_logs(self) -> None:
        """Remove the cluster's logs of jobs that have neither failed nor are awaited.

        The run before could not remove them any more.
        """
        kept = {job.log for job in self._awaited.values()}
        with suppress(OSError):
            failures = Path(self.folder.failures).read_text(errors="replace")
            for path in Path(self.folder.cluster_logs(self.scheduler)).absolute().rglob("*.log"):
                if str(path) not in kept and json.dumps(str(path)) not in failures:
                    path.unlink()

    def _is_awaited(self, job: JobExecutorInterface) -> bool:
        """Adopt a job of the run before that makes the same files and has not failed."""
        if not self._awaited or not self.is_ours(job):
            return False
        found = self._awaited.pop(products_of(job), None)
        if found is None:
            return False
        info = SubmittedJobInfo(job, external_jobid=found.external, aux=self.aux_of(found.log))
        if found.external in self._alive_now():
            self.run_job_pre(job)
            self.report_job_submission(info)
            return True
        refresh_folders(files_of(job))
        if all(map(os.path.exists, files_of(job))):
            self.run_job_pre(job)
            self.report_job_success(info)
            return True
        return False

    def _alive_now(self) -> set[str]:
        if time.monotonic() - self._asked_at > _FRESH_S:
            self._alive, self._asked_at = self.alive_jobs() or self._alive, time.monotonic()
        return self._alive

    def _say(self, line: str) -> None:
        self.logger.warning(f"snakemesh: {line}", extra=SHOWN)


def answer(line: list[str]) -> subprocess.CompletedProcess[str] | None:
    """What a command of a cluster prints; None if the command fails."""
    try:
        return subprocess.run(line, capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    except (subprocess.SubprocessError, OSError):
        return None


def files_of(job: JobExecutorInterface) -> list[str]:
    """The files that a job or a group makes."""
    return sorted(str(path) for one in _single(job) for path in one.output)


def products_of(job: JobExecutorInterface) -> str:
    """A hash of the names of the files that a job or a group makes.

    The names hold hashes of what the files are made from.
    """
    return hashlib.sha256("\n".join(files_of(job)).encode()).hexdigest()[:16]


def refresh_folders(paths: Collection[str]) -> None:
    """Look into the folders of files that another node has written.

    NFS remembers for a minute that a file is not there. It asks anew when its folder is opened.
    """
    for folder in {os.path.dirname(path) for path in paths}:
        with suppress(OSError):
            os.scandir(folder or ".").close()


def _single(job: JobExecutorInterface) -> list[Any]:
    """The jobs of a group, or the one job."""
    return list(job.jobs) if job.is_group() else [job]
