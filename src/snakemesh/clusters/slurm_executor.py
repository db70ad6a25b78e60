"""What snakemesh adds to Snakemake's plugin for Slurm: patience, and logs under the output.

To the plugin, a job that `sbatch` refuses has failed. All attempts at it are used up within
seconds while the controller is away, or refuses too many requests. And if Slurm does not answer
for as often as `slurm-status-attempts` says, the plugin forgets its jobs, and the run never ends.
"""

import time
from collections.abc import AsyncGenerator
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from snakemake_executor_plugin_slurm import Executor
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemesh.clusters.cluster_executor import ClusterExecutor, answer
from snakemesh.output.folder import OutputFolder

# The versions of the plugin whose methods are known here. Others are used as they are.
_KNOWN = "2.8."
# Seconds for which a job that Slurm refuses is submitted again before it counts as failed; less as
# long as Slurm has never taken a job of the run: its settings are probably wrong.
_REFUSED_S = 600
_NEVER_TAKEN_S = 60
# States of a job that has ended.
_ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
    *("PREEMPTED", "REVOKED", "TIMEOUT"),
}


def use_with_slurm(folder: OutputFolder, is_alone: bool) -> None:
    """Have this run submit its jobs with what is added here, if it submits them to Slurm.

    is_alone: no other workflow uses this one as a module. The logs of all jobs are in one folder.
    """
    if version("snakemake-executor-plugin-slurm").startswith(_KNOWN):
        ours = type("PatientExecutor", (PatientExecutor,), {"folder": folder, "is_alone": is_alone})
        ExecutorPluginRegistry().get_plugin("slurm").executor = ours


class PatientExecutor(ClusterExecutor, Executor):  # type: ignore[misc]
    """Goes on while Slurm refuses jobs or does not answer.

    A job that Slurm refuses becomes an active job without an id. It is submitted again whenever
    Snakemake looks at its active jobs.
    """

    scheduler, end_command = "slurm", "scancel"
    is_alone: ClassVar[bool]

    def __post_init__(self) -> None:
        self._refused_since: dict[JobExecutorInterface, float] = {}
        self._has_taken_jobs = False
        self._unaccounted: dict[int, SubmittedJobInfo] = {}
        super().__post_init__()
        if self.is_alone and self.workflow.executor_settings.logdir is None:
            self.slurm_logdir = Path(self.folder.cluster_logs(self.scheduler)).absolute()

    def alive_jobs(self) -> set[str] | None:
        """The numbers of the jobs of this run that wait or run; None if Slurm does not answer."""
        line = ["squeue", "--noheader", "--states=all", "--format=%i|%T", "--name", self.run_uuid]
        if (done := answer(line)) is None or done.returncode != 0:
            return None
        rows = [row.strip().split("|") for row in done.stdout.splitlines()]
        return {row[0] for row in rows if len(row) == 2 and row[1] not in _ENDED}

    def aux_of(self, log: str) -> dict[str, Any]:
        """What the plugin keeps of a submitted job."""
        return {"slurm_logfile": Path(log)}

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
            f"a job cannot be submitted to Slurm; trying again for {seconds // 60} min: {why}"
        )
        with self.lock:
            self.active_jobs.append(job_info)
