"""What snakemesh adds to Snakemake's plugin for Slurm: patience.

To the plugin, a job that `sbatch` refuses has failed. All attempts at it are used up within
seconds while the controller is away, or refuses too many requests. And if Slurm does not answer
for as often as `slurm-status-attempts` says, the plugin forgets its jobs, and the run never ends.
"""

import time
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import Any

from snakemake_executor_plugin_slurm import Executor
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

# The versions of the plugin whose methods are known here. Others are used as they are.
_KNOWN = "2.8."
# Seconds for which a job that Slurm refuses is submitted again before it counts as failed; less as
# long as Slurm has never taken a job of the run: its settings are probably wrong.
_REFUSED_S = 600
_NEVER_TAKEN_S = 60


def use_with_slurm() -> None:
    """Have this run submit its jobs with what is added here, if it submits them to Slurm."""
    if version("snakemake-executor-plugin-slurm").startswith(_KNOWN):
        ExecutorPluginRegistry().get_plugin("slurm").executor = PatientExecutor


class PatientExecutor(Executor):  # type: ignore[misc]
    """Goes on while Slurm refuses jobs or does not answer.

    A job that Slurm refuses becomes an active job without an id. It is submitted again whenever
    Snakemake looks at its active jobs.
    """

    def __post_init__(self) -> None:
        self._refused_since: dict[JobExecutorInterface, float] = {}
        self._has_taken_jobs = False
        self._unaccounted: dict[int, SubmittedJobInfo] = {}
        super().__post_init__()

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Yield the jobs that go on, after those that Slurm had refused are submitted again."""
        submitted = [job for job in active_jobs if job.external_jobid is not None]
        if submitted:
            self._unaccounted = {id(job): job for job in submitted}
            async for job in super().check_active_jobs(submitted):
                self._unaccounted.pop(id(job), None)
                yield job
            for job in list(self._unaccounted.values()):  # those that the plugin would forget
                yield job
        for job in active_jobs:
            if job.external_jobid is None:
                self._job_submission_executor.submit(self.run_job, job.job)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Tell Snakemake that a job is done."""
        self._unaccounted.pop(id(job_info), None)
        super().report_job_success(job_info)

    def report_job_error(self, job_info: SubmittedJobInfo, *args: Any, **options: Any) -> None:
        """Tell Snakemake that a job has failed."""
        self._unaccounted.pop(id(job_info), None)
        super().report_job_error(job_info, *args, **options)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End the jobs that Slurm knows."""
        super().cancel_jobs([job for job in active_jobs if job.external_jobid is not None])

    def _report_job_submission_threadsafe(self, job_info: SubmittedJobInfo) -> None:
        self._has_taken_jobs = True
        self._refused_since.pop(job_info.job, None)
        super()._report_job_submission_threadsafe(job_info)

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        """See to it that a job is submitted again. The plugin calls this where that has failed."""
        now = time.monotonic()
        since = self._refused_since.setdefault(job_info.job, now)
        seconds = _REFUSED_S if self._has_taken_jobs else _NEVER_TAKEN_S
        if now - since > seconds:
            del self._refused_since[job_info.job]
            super()._report_job_error_threadsafe(job_info, msg)
            return
        why = " ".join(msg.split("sbatch call:")[0].split())
        self.logger.warning(
            f"a job cannot be submitted to Slurm, which is tried for {seconds // 60} min: {why}"
        )
        with self.lock:
            self.active_jobs.append(job_info)
