# What every stage needs: the plan, what its products are made from, and the output folder.

import atexit
import os
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.logging import logger

from snakemesh.boxes import box_index, box_name, indices
from snakemesh.errors import UserError
from snakemesh.output import lock
from snakemesh.output.markers import read_marker
from snakemesh.output.folder import OutputFolder
from snakemesh.plan import jobs
from snakemesh.plan.damage import damaged_levels, damaged_meshes
from snakemesh.plan.configuration import read_settings, typed
from snakemesh.plan.estimates import job_work
from snakemesh.plan.input_state import look_at_input, read_state, write_state
from snakemesh.plan.inputs import EXAMPLE_PATH, source_levels
from snakemesh.plan.made_from import MadeFrom
from snakemesh.plan.plan import make_plan
from snakemesh.plan.progress import ProgressHandler
from snakemesh.plan.provenance import run_document, write_document
from snakemesh.plan.remarks import remarks_after, remarks_before
from snakemesh.plan.summary import plan_summary

try:
    SETTINGS = read_settings(typed(config))
    PLAN = make_plan(SETTINGS, source_levels(SETTINGS))
    OUT = OutputFolder(os.path.normpath(SETTINGS.output_directory))
    # A job takes what the run that plans has seen: what changes meanwhile must not split the run.
    if workflow.is_main_process:
        INPUT_STATE = look_at_input(PLAN)
    else:
        INPUT_STATE = read_state(OUT.input_state, PLAN)
except UserError as error:
    sys.exit(f"snakemesh: {error}")

MADE_FROM = MadeFrom(PLAN, INPUT_STATE)
ENVIRONMENT = "../envs/environment.yaml"
# Jobs that take longer than this are not grouped with others into one job of a cluster.
SHORT_S = 120


wildcard_constraints:
    stage=r"\d+",
    lod=r"\d+",
    box=r"\d+_\d+_\d+",
    shard=r"[0-9a-f]+",
    made_from=r"[0-9a-f]{16}",


# A dry run lists its jobs first. The plan in words is the last that it prints.
if workflow.output_settings.dryrun:
    atexit.register(lambda: print(f"\n{summary()}"))


onstart:
    try:
        lock.acquire(Path(OUT.work))
    except UserError as error:
        sys.exit(f"snakemesh: {error}")
    logger.info(summary())
    write_state(OUT.input_state, INPUT_STATE)
    write_document(OUT.run_document, run_document(MADE_FROM))
    works = {number: work for number, (_, work) in works_left().items()}
    logger.addHandler(ProgressHandler(works, logger.info))


onsuccess:
    for remark in remarks_after(read_marker(OUT.documents_marker(MADE_FROM.documents))):
        logger.warning(f"snakemesh: {remark}")


def summary():
    """The plan in words, what is left of it, and what there is to say."""
    remarks = remarks_before(MADE_FROM, OUT, damage())
    return plan_summary(PLAN, works_left().values(), remarks)


def works_left():
    """Rule and work of every job of this run, by Snakemake's number of the job.

    A dry run finishes them all.
    """
    return {
        job.jobid: (job.rule.name, job_work(PLAN, job.rule.name, job.wildcards_dict))
        for job in workflow.dag.needrun_jobs(exclude_finished=False)
    }


@cache
def damage():
    """By marker, what is damaged of what earlier runs have made: made again, as with --forcerun."""
    found = damaged_levels(MADE_FROM, OUT) | damaged_meshes(MADE_FROM, OUT)
    workflow.dag.forcefiles.update(found)
    return found


def missing(products):
    """Of the products that are needed, those that have to be made.

    A product is known by its name. One that is there and sound is no input of any job, so that
    neither its date nor what this clone remembers of it counts. A job finds all of them there.
    """
    if not workflow.is_main_process:
        return products
    return [path for path in products if path in damage() or not os.path.exists(path)]


def or_done(products):
    """The input of a target: what has to be made, or else a file that says what was made."""
    return products or [path for path in [OUT.run_document] if os.path.exists(path)]


def refuse_older_plan(wildcards, made_from):
    """Raise where a job was planned for another configuration or another state of the input."""
    if wildcards.made_from != made_from:
        raise WorkflowError(
            "this job belongs to an earlier run, whose configuration or input was another"
        )


def if_short(rule, group):
    """The group of a job: None where the job takes minutes by itself, as in large volumes."""

    def group_of(wildcards):
        seconds = job_work(PLAN, rule, dict(wildcards.items())).seconds
        return group.format(**wildcards) if seconds < SHORT_S else None

    return group_of


def doubled(amount):
    """A resource that the plan tells, doubled at each further attempt at a job."""
    return lambda wildcards, attempt: amount(wildcards) * 2 ** (attempt - 1)
