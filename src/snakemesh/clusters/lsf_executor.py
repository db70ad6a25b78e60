"""What snakemesh adds to Snakemake's plugin for LSF: memory limits, patience, and logs.

**Memory limits.** The plugin reserves memory with `-R "rusage[mem=]"`. At many sites a reservation
does not move the limit at which LSF kills a job: only `bsub -M` does. The profile asks for it in
`lsf_extra`, which is one text for all jobs, so the memory of a job has to be filled in where the
job is submitted.

**Patience.** The plugin ends a run, with all its jobs, when LSF refuses one job or does not answer
for a minute. It takes a job for done when LSF has lost contact to the host of the job.

**Logs.** See `lsf_submission`.
"""

import os
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from snakemake_executor_plugin_lsf import Executor
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemesh.clusters import lsf_submission
from snakemesh.clusters.cluster_executor import ClusterExecutor, answer
from snakemesh.output.folder import OutputFolder

# Stands in `lsf_extra` for the memory that this attempt at a job, or at a group, asks for, in MB.
_MEMORY = "{mem_mb}"
# The versions of the plugin whose methods are known here.
_KNOWN = "0.3."
# Seconds for which a job that LSF refuses is submitted again before it counts as failed; and, as
# long as LSF has never taken a job of the run, before the run ends: its settings are probably
# wrong.
_REFUSED_S = 600
_NEVER_TAKEN_S = 60
# At most as many seconds between two tries to submit jobs.
_AGAIN_S = 30
# Seconds for which a job counts as running that is in one of the states below.
_ASTRAY_S = 3600
# LSF has lost contact to the host of the job, which may still run.
_UNKNOWN = "UNKWN"
# Somebody has suspended the job. It is ended: nobody may ever resume it.
_SUSPENDED = ("USUSP", "PSUSP")
# States of a job that has not ended.
_ALIVE = ("PEND", "RUN", "SSUSP", "PROV", "WAIT", "ZOMBI", _UNKNOWN, *_SUSPENDED)
# What bjobs says instead of a list of no jobs.
_NO_JOBS = "not found"
# Characters of a message of LSF that are shown.
_SHOWN = 200


def use_with_lsf(folder: OutputFolder) -> None:
    """Have this run submit its jobs with what is added here, if it submits them to LSF."""
    executor = executor_for(version("snakemake-executor-plugin-lsf"))
    ours = type(executor.__name__, (executor,), {"folder": folder})
    ExecutorPluginRegistry().get_plugin("lsf").executor = ours


def executor_for(plugin_version: str) -> type[Executor]:
    """The executor to use with a version of the plugin: patience changes how that one works."""
    return PatientExecutor if plugin_version.startswith(_KNOWN) else LimitedExecutor


class LimitedExecutor(Executor):  # type: ignore[misc]
    """Submits jobs to LSF, with their memory in place of `{mem_mb}` in `lsf_extra`."""

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job or a group."""
        _fill_in_memory(job)
        super().run_job(job)


class PatientExecutor(ClusterExecutor, LimitedExecutor):
    """Goes on while LSF refuses jobs, does not answer, or has lost sight of jobs.

    A job that LSF refuses becomes an active job without an id. It is submitted again whenever
    Snakemake looks at its active jobs.
    """

    scheduler, end_command = "lsf", "bkill"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._has_taken_jobs = False
        self._astray_since: dict[str, float] = {}
        self._killed: set[str] = set()

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job or a group; if LSF refuses it, it is submitted again later."""
        info = SubmittedJobInfo(job, aux={"since": time.monotonic()})
        if not self._submit(info):
            with self.lock:
                self.active_jobs.append(info)

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Yield the jobs that go on, after those that LSF had refused are submitted again."""
        refused = [job for job in active_jobs if job.external_jobid is None]
        submitted = [job for job in active_jobs if job.external_jobid is not None]
        if submitted:
            async for job in super().check_active_jobs(submitted):
                yield job
        while refused and self._submit(refused[0]):
            del refused[0]
        if refused:
            for job in (*refused[1:], refused[0]):  # another one is tried first the next time
                yield job
            seconds: float = super().next_seconds_between_status_checks
            self.next_seconds_between_status_checks = min(seconds, _AGAIN_S)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End jobs."""
        self.end_jobs([job.external_jobid for job in active_jobs if job.external_jobid])

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Tell Snakemake that a job is done. What LSF says of it is of no more use."""
        if self.is_ours(job_info.job):
            with suppress(OSError):
                os.unlink(job_info.aux["lsf_logfile"])
        super().report_job_success(job_info)

    def alive_jobs(self) -> set[str] | None:
        """The numbers of the jobs of this run that wait or run; None if LSF does not answer."""
        line = ["bjobs", "-noheader", "-o", "jobid stat", "-aJ", f"*{self.run_uuid}*"]
        if (done := answer(line)) is None or done.returncode != 0:
            return set() if done is not None and _NO_JOBS in done.stderr else None
        rows = [row.split() for row in done.stdout.splitlines()]
        return {row[0] for row in rows if len(row) == 2 and row[1] in _ALIVE}

    def aux_of(self, log: str) -> dict[str, Any]:
        """What the plugin keeps of a submitted job."""
        return {"lsf_logfile": log}

    async def job_stati_bjobs(self) -> tuple[dict[str, str], float]:
        """The states of jobs by id, empty if bjobs fails; seconds that it took."""
        return await self._read(super().job_stati_bjobs())

    async def job_stati_lsbevents(self) -> tuple[dict[str, str], float]:
        """The states of jobs by id and the seconds that it took, from LSF's log of events."""
        return await self._read(super().job_stati_lsbevents())

    def _submit(self, job: SubmittedJobInfo) -> bool:
        """Submit a job. Returns False if LSF refuses it now, and it is tried again later.

        Reports a job as failed that is refused for longer than `_REFUSED_S`. Raises WorkflowError
        if LSF has never taken a job, for longer than `_NEVER_TAKEN_S`.
        """
        try:
            if self.is_ours(job.job):
                _fill_in_memory(job.job)
                logs = self.folder.cluster_logs(self.scheduler)
                number, log = lsf_submission.submit(self, job.job, logs)
                self.report_job_submission(SubmittedJobInfo(job.job, number, self.aux_of(log)))
            else:
                super().run_job(job.job)
        except Exception as error:  # bsub failed, its answer has no id, a file cannot be written
            why = " ".join(str(error).split())[-_SHOWN:]
            seconds = time.monotonic() - job.aux["since"]
            if not self._has_taken_jobs and seconds > _NEVER_TAKEN_S:
                raise WorkflowError(f"LSF refuses all jobs: {why}") from error
            if seconds > _REFUSED_S:
                self.report_job_error(job, msg=f"LSF refused it for {seconds / 60:.0f} min: {why}")
                return True
            minutes = (_REFUSED_S if self._has_taken_jobs else _NEVER_TAKEN_S) // 60
            self.logger.warning(
                f"a job cannot be submitted to LSF; trying again for {minutes} min: {why}"
            )
            return False
        self._has_taken_jobs = True
        return True

    async def _read(
        self, asked: Awaitable[tuple[dict[str, str] | None, float | None]]
    ) -> tuple[dict[str, str], float]:
        """The states that the plugin has asked LSF for, in words that it acts upon rightly."""
        try:
            found, seconds = await asked
        except Exception as error:  # no process can be started, the answer is not understood
            self.logger.warning(f"LSF cannot be asked for jobs: {error}")
            found, seconds = None, None
        states = {job: self._acted_upon(job, state) for job, state in (found or {}).items()}
        return states, seconds or 0.0

    def _acted_upon(self, job: str, state: str) -> str:
        """The state of a job; of a job astray RUN for `_ASTRAY_S`, and then EXIT."""
        if state != _UNKNOWN and state not in _SUSPENDED:
            self._astray_since.pop(job, None)
            return state
        since = self._astray_since.setdefault(job, time.monotonic())
        is_over = time.monotonic() - since > _ASTRAY_S
        if (is_over or state in _SUSPENDED) and job not in self._killed:
            self._killed.add(job)
            self.end_jobs([job])
        return "EXIT" if is_over else "RUN"


def _fill_in_memory(job: Any) -> None:
    """Snakemake computes the resources anew for each attempt, so this is done for each as well.

    The limit of a group is that of all its jobs that run side by side.
    """
    extra, memory = job.resources.get("lsf_extra"), job.resources.get("mem_mb")
    if isinstance(extra, str) and isinstance(memory, int):
        filled = extra.replace(_MEMORY, str(memory))
        if job.is_group():
            job._resources["lsf_extra"] = filled  # `resources` is a copy of it
        else:
            job.resources.lsf_extra = filled
