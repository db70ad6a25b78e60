# What every stage needs: the plan, what its products are made from, and the output folder.

import atexit
import os
import sys
from functools import cache
from pathlib import Path

# The folder of this file, also where another workflow uses ours as a module.
RULES = Path(workflow.current_basedir.get_path_or_uri(secret_free=False))
sys.path.insert(0, str(RULES.parent / "scripts"))

from snakemake.logging import logger

from snakemesh.boxes import box_index, box_name, indices
from snakemesh.errors import UserError
from snakemesh.output import lock
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.plan import jobs
from snakemesh.plan.configuration import read_settings, typed
from snakemesh.plan.damage import damaged_levels, damaged_meshes
from snakemesh.plan.estimates import WORKING_RULES, job_work
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
IS_MODULE = workflow.modifier.parent_modifier is not None
ENVIRONMENT = "../envs/environment.yaml"
# Jobs that are expected to take this many seconds or more are not put into a group with others. A
# group is one job of a cluster.
SHORT_S = 120


wildcard_constraints:
    stage=r"\d+",
    lod=r"\d+",
    box=r"\d+_\d+_\d+",
    shard=r"[0-9a-f]+",
    made_from=r"[0-9a-f]{16}",


# A dry run lists its jobs, which can be many. So the plan in words is printed after them, unless
# Snakemake has found no way to make what was asked for.
if workflow.output_settings.dryrun:
    atexit.register(lambda: workflow.dag is not None and print(f"\n{summary()}"))


def begin():
    """Take the output folder for this run, and keep for its jobs what the plan has seen."""
    try:
        lock.acquire(Path(OUT.root))
    except UserError as error:
        sys.exit(f"snakemesh: {error}")
    write_state(OUT.input_state, INPUT_STATE)
    write_document(OUT.run_document, run_document(MADE_FROM))


onstart:
    logger.info(summary())
    begin()
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
    """Rule and work of every job of this run that is ours, by Snakemake's number of the job.

    A dry run finishes them all.
    """
    return {
        job.jobid: (rule, job_work(PLAN, rule, job.wildcards_dict))
        for job in workflow.dag.needrun_jobs(exclude_finished=False)
        if (rule := rule_of(job)) is not None
    }


def rule_of(job):
    """The name that a rule has here, whatever prefix another workflow gives it; None for its own."""
    if Path(job.rule.snakefile).parent != RULES:
        return None
    return next((rule for rule in WORKING_RULES if job.rule.name.endswith(rule)), job.rule.name)


@cache
def damage():
    """By marker, what is damaged of what earlier runs have made."""
    return damaged_levels(MADE_FROM, OUT) | damaged_meshes(MADE_FROM, OUT)


def missing(products):
    """Of the products that are needed, those that have to be made.

    A product is known by its name. One that is there and sound is no input of any job, so that
    neither its date nor what this clone remembers of it counts. A job finds all of them there.
    """
    if not workflow.is_main_process:
        return products
    return [path for path in products if path in damage() or not os.path.exists(path)]


def target(products, made_again=()):
    """The input of a target, for which damaged products are made again, as with --forcerun.

    made_again: others that are. Where another workflow uses ours as a module, Snakemake does not
    call our `onstart`, so the run begins here, when its DAG is made.
    """
    if IS_MODULE and not workflow.output_settings.dryrun:
        begin()
    workflow.dag.forcefiles.update(damage(), made_again)
    return products


def refuse_older_plan(wildcards, made_from):
    """Raise where a job was planned for another configuration or another state of the input."""
    if wildcards.made_from != made_from:
        raise WorkflowError(
            "this job belongs to an earlier run, whose configuration or input was another"
        )


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
