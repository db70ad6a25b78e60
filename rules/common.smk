# What all rules share: the plan and the names of the outputs. It also prints plan and progress.

import atexit
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.logging import logger

from snakemesh.boxes import box_index, box_name, indices
from snakemesh.errors import UserError
from snakemesh.output import lock
from snakemesh.output.folder import OutputFolder
from snakemesh.plan import jobs
from snakemesh.plan.configuration import read_settings, typed
from snakemesh.plan.estimates import job_work
from snakemesh.plan.inputs import EXAMPLE_PATH, source_levels
from snakemesh.plan.plan import make_plan
from snakemesh.plan.progress import ProgressHandler
from snakemesh.plan.summary import plan_summary

try:
    SETTINGS = read_settings(typed(config))
    PLAN = make_plan(SETTINGS, source_levels(SETTINGS))
except UserError as error:
    sys.exit(f"snakemesh: {error}")

OUT = OutputFolder(SETTINGS.output_directory.rstrip("/"))
ENVIRONMENT = "../envs/environment.yaml"
# Jobs that are expected to take this many seconds or more are not put into a group with others. A
# group is one job of a cluster.
SHORT_S = 120


wildcard_constraints:
    stage=r"\d+",
    lod=r"\d+",
    box=r"\d+_\d+_\d+",
    shard=r"[0-9a-f]+",


# A dry run lists its jobs, which can be many. So the plan in words is printed after them.
if workflow.output_settings.dryrun:
    atexit.register(lambda: print(f"\n{plan_summary(PLAN, works_left().values())}"))


onstart:
    try:
        lock.acquire(Path(OUT.work))
    except UserError as error:
        sys.exit(f"snakemesh: {error}")
    works = works_left()
    logger.info(plan_summary(PLAN, works.values()))
    logger.addHandler(ProgressHandler(works, logger.info))


def works_left():
    """The expected work of every job that this run has to do, by Snakemake's number of the job.

    exclude_finished is off because Snakemake counts the jobs of a dry run as finished.
    """
    return {
        job.jobid: job_work(PLAN, job.rule.name, job.wildcards_dict)
        for job in workflow.dag.needrun_jobs(exclude_finished=False)
    }


def digest(text):
    """The SHA-256 of a text. Snakemake compares it with that of a marker (`ensure`)."""
    return hashlib.sha256(text.encode()).hexdigest()


def if_short(rule, group):
    """A function from wildcards to the group of a job: `group`, or None if the job takes long.

    In a large volume, a group of 8 blocks of 1.2 hours each would be a cluster job of 10 hours.
    """

    def group_of(wildcards):
        seconds = job_work(PLAN, rule, dict(wildcards.items())).seconds
        return group.format(**wildcards) if seconds < SHORT_S else None

    return group_of


def doubled(amount):
    """A resource of a job: `amount(wildcards)`, doubled at each further attempt at the job."""
    return lambda wildcards, attempt: amount(wildcards) * 2 ** (attempt - 1)
