# What every stage needs: the plan, what its products are made from, and the output folder.

import atexit
import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from snakemake.logging import logger
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemesh.boxes import box_index, box_name, indices
from snakemesh.errors import UserError
from snakemesh.installed import tell_environments
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.plan import jobs
from snakemesh.products import label_map
from snakemesh.config.configuration import read_settings, typed
from snakemesh.survey.density import is_sparse
from snakemesh.products.damage import damaged_levels, damaged_meshes
from snakemesh.cost.estimates import job_work
from snakemesh.cost.failure_reasons import MEMORY, TIME
from snakemesh.survey.good_levels import unfit_levels
from snakemesh.survey.input_state import kept_mismatches, kept_sample, look_at_input
from snakemesh.survey.input_state import read_state, was_sparse, write_state
from snakemesh.survey.inputs import EXAMPLE_PATH, check_tables, source_levels
from snakemesh.survey.label_lists import label_files, list_remarks, read_lists, write_lists
from snakemesh.products.made_from import MadeFrom
from snakemesh.products.other_input import refuse_other_input
from snakemesh.plan.plan import make_plan
from snakemesh.products.provenance import run_document, write_document
from snakemesh.console.quiet import SHOWN, quieted
from snakemesh.console.remarks import remarks_after, remarks_before, result_lines
from snakemesh.console.remarks import target_remarks, view_command
from snakemesh.console.run_start import StartHandler, make_folders, refuse_read_only_folder
from snakemesh.survey.sample import sample_of
from snakemesh.cost.shortages import shortages_of
from snakemesh.console.summary import plan_summary
from snakemesh.console.watch import verify_report, watch_run

IS_MODULE = not workflow.modifier.is_main_snakefile()

try:
    if workflow.is_main_process and not IS_MODULE:
        refuse_read_only_folder(workflow.main_snakefile)
    SETTINGS = read_settings(typed(config), is_checked=not workflow.is_main_process)
    OUT = OutputFolder(os.path.normpath(SETTINGS.output_directory))
    # A job takes what the run that plans has seen: what changes meanwhile must not split the run.
    # A job of another workflow may run before any of ours, when nothing is kept yet.
    if workflow.is_main_process or not os.path.exists(OUT.input_state):
        check_tables(SETTINGS)
        TABLE = label_map.look_at_table(SETTINGS, OUT)
        LEVELS = source_levels(SETTINGS)
        MISMATCHES = unfit_levels(SETTINGS, LEVELS, TABLE)
        PLAN = make_plan(SETTINGS, LEVELS, TABLE, mismatches=MISMATCHES)
        if is_sparse(PLAN):
            PLAN = make_plan(SETTINGS, LEVELS, TABLE, True, MISMATCHES)
        PLAN = replace(PLAN, sample=sample_of(PLAN))
        LISTS = read_lists(SETTINGS, PLAN.dtype)
        INPUT_STATE = look_at_input(PLAN, label_files(PLAN, LISTS))
        TOKENS = label_map.look_at_tokens(MadeFrom(PLAN, INPUT_STATE), OUT)
    else:
        TABLE = label_map.read_table_of_run(SETTINGS, OUT)
        LEVELS, MISMATCHES = source_levels(SETTINGS), kept_mismatches(OUT.input_state)
        PLAN = make_plan(SETTINGS, LEVELS, TABLE, was_sparse(OUT.input_state), MISMATCHES)
        PLAN = replace(PLAN, sample=kept_sample(OUT.input_state))
        INPUT_STATE = read_state(OUT.input_state, PLAN)
        TOKENS = label_map.read_tokens_of_run(MadeFrom(PLAN, INPUT_STATE), OUT)
    MADE_FROM = MadeFrom(PLAN, INPUT_STATE, TOKENS)
    if workflow.is_main_process:
        refuse_other_input(MADE_FROM, OUT)
except UserError as error:
    sys.exit(f"snakemesh: {error}")

ENVIRONMENT = "../envs/environment.yaml"
tell_environments()
# What jobs of this run were short of.
SHORTAGES = shortages_of(OUT.root)
# Jobs that are expected to take this many seconds or more are not put into a group with others. A
# group is one job of a cluster.
SHORT_S = 120
# The priority of the jobs that coarse blocks wait for. A block has fewer voxels.
FIRST = 1 << 60


wildcard_constraints:
    stage=r"\d+",
    lod=r"\d+",
    box=r"\d+_\d+_\d+",
    bundle=r"\d+",
    shard=r"[0-9a-f]+",
    made_from=r"[0-9a-f]{16}",


def begin():
    """Take the output folder, and keep for the jobs what the plan has seen.

    Returns False while another workflow has no job of ours to run.
    """
    # here, because jobs read this file too and do not begin a run
    from snakemesh.output import lock
    from snakemesh.console.stop import make_stoppable

    left = works_left()
    works = {number: work for number, (_, work) in left.items()}
    rules = {rule for rule, _ in left.values()}
    if IS_MODULE and not works:
        return False
    try:
        make_stoppable()
        if not lock.acquire(Path(OUT.root), say, lost):
            return True  # Snakemake reads this file once more for each `use rule ... with`
        logger.info(summary(), extra=SHOWN)
        make_folders(
            path
            for job in workflow.dag.needrun_jobs(exclude_finished=False)
            if job.jobid in left
            for path in job.products()
        )
        write_lists(INPUT_STATE.lists, LISTS)
        label_map.write_label_map_state(MADE_FROM, OUT)
        # the last one: where it is, the others are
        write_state(OUT.input_state, INPUT_STATE, MISMATCHES)
        write_document(OUT.run_document, run_document(MADE_FROM))
        compile_what_jobs_need(rules)
        fork_jobs_of_this_machine()
    except (UserError, OSError) as error:
        line = lock.unwritable(OUT.root, error) if isinstance(error, OSError) else error
        print(f"snakemesh: {line}", file=sys.stderr)  # the scheduler hides what an exit says
        sys.exit(1)
    except KeyboardInterrupt:  # while it waits to see whether another run lives, or compiles
        sys.exit(130)
    verifies = "verify_table" in rules
    watch_run(logger, QUIET, OUT, works, SHORTAGES, lambda: end(verifies))
    return True


def say(line):
    """Print a line of ours among Snakemake's own messages."""
    logger.warning(f"snakemesh: {line}", extra=SHOWN)


def lost(line):
    """End the run: another one writes to its output folder."""
    from snakemesh.console.stop import stop_run

    logger.error(f"snakemesh: {line}", extra=SHOWN)
    stop_run()


def compile_what_jobs_need(rules):
    """Compile what the jobs of these rules need, if it is not compiled yet."""
    if workflow.deployment_settings.deployment_method:
        return  # jobs run another Python
    # here, because jobs read this file too
    from snakemesh.compiling.compile_first import compile_first, parts_to_compile

    if parts := parts_to_compile(rules, TABLE is not None):
        logger.info(
            "  compile  functions, once for all clones and nodes: up to half a minute", extra=SHOWN
        )
        cores = workflow.resource_settings.cores
        compile_first(parts, cores, say)


def fork_jobs_of_this_machine():
    """Start jobs without waiting for their imports, if this process starts them."""
    # another workflow has jobs of its own, and jobs of a cluster start there
    if IS_MODULE or not workflow.local_exec or workflow.deployment_settings.deployment_method:
        return
    from snakemesh.compiling.compile_first import needed_parts
    from snakemesh.compiling.forked_jobs import fork_jobs

    fork_jobs(lambda rule: needed_parts([rule], TABLE is not None))


def end(verifies):
    """Say where the result is, and what there is to say of it.

    verifies: whether the run has verified it.
    """
    Path(OUT.submitted).unlink(missing_ok=True)  # no job is left
    if verifies:
        print(verify_report(OUT.log(f"verify_table.{MADE_FROM.verified}")), flush=True)
    facts = read_marker(OUT.documents_marker(MADE_FROM.documents))
    for line in result_lines(facts, OUT):
        logger.info(line, extra=SHOWN)
    if facts is not None:
        logger.info(f"  look     {view_command(OUT)}", extra=SHOWN)
    if os.path.exists(page := OUT.report_file("overview.rst", MADE_FROM.documents)):
        line = f"  report   {os.path.dirname(page)}; --report report.html packs it"
        logger.info(line, extra=SHOWN)
    for remark in remarks_after(facts):
        say(remark)


def say_at_exit():
    """Print the plan of a dry run after its jobs, which can be many, or help with a wrong target.

    Snakemake makes its scheduler when it has found a way to make what was asked for.
    """
    if workflow.scheduler is not None:
        if workflow.output_settings.dryrun:
            print(f"\n{summary()}")
    elif not IS_MODULE and workflow.dag_settings is not None:
        unknown = (t for t in workflow.dag_settings.targets if not workflow.is_rule(t))
        for line in target_remarks(unknown):
            print(f"snakemesh: {line}", file=sys.stderr)


def summary():
    """The plan in words, what is left of it, and what there is to say."""
    remarks = [*list_remarks(SETTINGS, LISTS), *remarks_before(MADE_FROM, OUT, damage())]
    return plan_summary(PLAN, works_left().values(), remarks)


def works_left():
    """Rule and work of every job of this run that is ours, by Snakemake's number of the job.

    A dry run finishes them all.
    """
    return {
        job.jobid: (rule, job_work(PLAN, rule, job.wildcards_dict))
        for job in workflow.dag.needrun_jobs(exclude_finished=False)
        if (rule := OUT.rule_of_logs(job.log)) is not None
    }


@cache
def damage():
    """By marker, what is damaged of what earlier runs have made."""
    found = damaged_levels(MADE_FROM, OUT) | damaged_meshes(MADE_FROM, OUT)
    return found | label_map.damaged_label_map(MADE_FROM, OUT)


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

    made_again: others that are.
    """
    if workflow.is_main_process:
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
    Without a cluster there are no groups: each would be one job, and take longer to plan.
    """

    def group_of(wildcards):
        # asked here, because Snakemake does not know while it reads this file
        if workflow.is_main_process and workflow.local_exec:
            return None
        seconds = job_work(PLAN, rule, dict(wildcards.items())).seconds
        return group.format(**wildcards) if seconds < SHORT_S else None

    return group_of


def voxels_of_block(wildcards):
    """The priority of a block: the longest jobs start first, so that no core waits for the last."""
    return job_work(PLAN, "mesh_block", dict(wildcards.items())).voxels


def enough(resource, rule, amount):
    """A resource of the jobs of a rule: `amount(wildcards)`, and more where that was too little."""
    return lambda wildcards: amount(wildcards) * SHORTAGES.factor(rule, wildcards, resource)


def hurry():
    """Have Snakemake leave out what it would do again and again, or for nothing."""
    # here, because it imports most of Snakemake
    from snakemesh.console.quick_snakemake import skip_notebooks, use_quick_planning

    skip_notebooks()
    if workflow.is_main_process:
        use_quick_planning()


# The handler that keeps Snakemake's own messages from the terminal. None where another workflow
# decides what is shown, or the user does with --verbose or --quiet.
QUIET = None
hurry()
if workflow.is_main_process:
    # imported here, because jobs read this file too, plan one job and submit nothing
    if ExecutorPluginRegistry().is_installed("lsf"):
        from snakemesh.clusters.lsf_executor import use_with_lsf

        use_with_lsf(OUT)
    if ExecutorPluginRegistry().is_installed("slurm"):
        from snakemesh.clusters.slurm_executor import use_with_slurm

        use_with_slurm(OUT, not IS_MODULE)
    atexit.register(say_at_exit)
    shown = workflow.output_settings
    if not shown.dryrun:
        if not IS_MODULE:
            from snakemesh.console.interrupted_start import end_starting_jobs_silently

            end_starting_jobs_silently()
        if not (IS_MODULE or shown.verbose or shown.quiet):
            QUIET = quieted(logger)
        logger.addHandler(StartHandler(begin, OUT))
