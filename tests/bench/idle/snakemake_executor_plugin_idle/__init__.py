"""A cluster that does nothing, to see what a run costs without its jobs: `--executor idle`.

Snakemake finds it if this folder's parent is on PYTHONPATH. It reads these environment variables:

IDLE_LOG    a file that gets a line of JSON for every job that would be submitted
IDLE_JOBS   after this many submissions, the run ends at once
IDLE_TRACE  a folder for traces: jobs do run, one at a time under strace, which writes them

Without IDLE_TRACE, the outputs of a job are only written as empty files or markers. Each time
Snakemake looks at its jobs, eight of them are done.
"""

import json
import os
import subprocess
import time
from collections.abc import AsyncGenerator
from itertools import count
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.settings import CommonSettings

# the plugins for LSF and Slurm have the same settings
common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=0,
)
DONE_AT_ONCE = 8
STRACE = ("strace", "-f", "--seccomp-bpf", "-e", "trace=%file")


class Executor(RemoteExecutor):
    """An executor that notes jobs and does not submit them."""

    def __post_init__(self) -> None:
        self.numbers = count(1)
        self.log = Path(os.environ["IDLE_LOG"])
        self.most = int(os.environ.get("IDLE_JOBS", 1 << 60))
        self.traces = os.environ.get("IDLE_TRACE")

    def run_job(self, job: JobExecutorInterface) -> None:
        """Note what would be submitted, and run it under strace if traces are wanted."""
        number, command = next(self.numbers), self.format_job_exec(job)
        jobs = _jobs(job)
        line = {
            "seconds": time.time(),
            "cpu_seconds": time.process_time(),
            "rule": jobs[0].rule.name,
            "jobs": len(jobs),
            "command": command,
        }
        with self.log.open("a") as file:
            print(json.dumps(line), file=file)
        if number >= self.most:
            os._exit(0)
        if self.traces:
            trace = Path(self.traces) / f"{number}.{jobs[0].rule.name}"
            subprocess.run([*STRACE, "-o", trace, "sh", "-c", command], check=True)
        self.report_job_submission(SubmittedJobInfo(job, external_jobid=str(number)))

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report the first few jobs as done."""
        for info in active_jobs[:DONE_AT_ONCE]:
            if not self.traces:
                _pretend(info.job)
            self.report_job_success(info)
        for info in active_jobs[DONE_AT_ONCE:]:
            yield info

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """There is nothing to cancel."""


def _jobs(job: JobExecutorInterface) -> list:
    return list(job.jobs) if job.is_group() else [job]


def _pretend(job: JobExecutorInterface) -> None:
    """Write the files of a job. Each holds what a marker would: what the job was made from."""
    for one in _jobs(job):
        benchmark = [one.benchmark] if one.benchmark else []
        for name in (*one.output, *one.log, *benchmark):
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(one.params.get("fingerprint", "")))
