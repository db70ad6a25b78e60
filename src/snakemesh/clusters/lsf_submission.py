"""How a job of ours is submitted to LSF: the line of `bsub`, and where LSF writes its log.

The plugin has one log for all attempts at a job, in three new folders of the clone. Here each
attempt has its own file, and all of them are in one folder under the output.
"""

import os
import re
import shlex
import subprocess
from typing import Any

# Characters of the wildcards of a job that its name shows.
_SHOWN = 200


class RefusedError(Exception):
    """LSF does not take a job; its text is what LSF says."""


def submit(executor: Any, job: Any, folder: str) -> tuple[str, str]:
    """Submit a job or a group. Returns its number at LSF and the path of LSF's log of it.

    executor: of the plugin, which knows what to ask for. folder: of the logs; it is made.
    Raises RefusedError, and OSError if nothing can be written or no process started.
    """
    os.makedirs(folder, exist_ok=True)
    # LSF writes its own number of the job for %J
    log = os.path.abspath(f"{folder}/{_name(job)}.%J.log")
    line = bsub_line(executor, job, log)
    executor.logger.debug(f"bsub call: {shlex.join(line)}")
    done = subprocess.run(
        line, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    found = re.search(r"Job <(\d+)>", done.stdout)
    if done.returncode != 0 or found is None:
        raise RefusedError(done.stdout.strip() or f"bsub ended with exit status {done.returncode}")
    log = log.replace("%J", found[1])
    executor.logger.info(
        f"Job {job.jobid} has been submitted with LSF jobid {found[1]} (log: {log})."
    )
    return found[1], log


def bsub_line(executor: Any, job: Any, log: str) -> list[str]:
    """The words of the line that submits a job or a group."""
    wildcards = ",".join(f"{key}={value}" for key, value in _first(job).wildcards_dict.items())
    name = f"Snakemake_{_name(job)}:{wildcards[:_SHOWN]}___({executor.run_uuid})"
    line = ["bsub", "-J", name, "-o", log, "-e", log, "-env", "all"]
    line += shlex.split(executor.get_project_arg(job) + executor.get_queue_arg(job))
    line += ["-W", str(executor.process_time(job.resources.runtime))]
    line += ["-n", str(executor.get_cpus(job)), "-R", f"rusage[mem={executor.get_mem(job)}]"]
    line += ["-R", f"span[{executor.get_span(job)}]"]
    line += shlex.split(job.resources.get("lsf_extra") or "")
    line += ["-cwd", str(executor.workflow.workdir_init), executor.format_job_exec(job)]
    return line


def _name(job: Any) -> str:
    return f"group_{job.groupid}" if job.is_group() else f"rule_{job.name}"


def _first(job: Any) -> Any:
    """A job, or that of a group whose wildcards come first."""
    jobs = job.jobs if job.is_group() else [job]
    return min(jobs, key=lambda one: tuple(one.wildcards_dict.values()))
