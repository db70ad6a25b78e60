"""What snakemesh adds to Snakemake's plugin for LSF: a memory limit that follows the attempt.

The plugin reserves memory with `-R "rusage[mem=]"`. At many sites a reservation does not move the
limit at which LSF kills a job: only `bsub -M` does. The profile asks for it in `lsf_extra`, which
is one text for all jobs, so the memory of a job has to be filled in where the job is submitted.
"""

from typing import Any

from snakemake_executor_plugin_lsf import Executor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

# Stands in `lsf_extra` for the memory that this attempt at a job, or at a group, asks for, in MB.
_MEMORY = "{mem_mb}"


def use_with_lsf() -> None:
    """Have this run submit its jobs with what is added here, if it submits them to LSF."""
    ExecutorPluginRegistry().get_plugin("lsf").executor = LimitedExecutor


class LimitedExecutor(Executor):  # type: ignore[misc]
    """Submits jobs to LSF, with their memory in place of `{mem_mb}` in `lsf_extra`."""

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job or a group."""
        _fill_in_memory(job)
        super().run_job(job)


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
