"""The start and the end of a run: what happens around Snakemake's own work."""

import atexit
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from snakemake.logging import logger
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemesh.console.quiet import SHOWN, QuietHandler, quieted
from snakemesh.console.remarks import (
    remarks_after,
    result_lines,
    target_remarks,
    view_command,
)
from snakemesh.console.run_start import StartHandler, make_folders
from snakemesh.console.watch import verify_report, watch_run
from snakemesh.errors import UserError
from snakemesh.output.markers import read_marker
from snakemesh.products.label_map import write_label_map_state
from snakemesh.products.provenance import run_document, write_document
from snakemesh.run.plan_in_words import plan_in_words
from snakemesh.run.run import Run
from snakemesh.survey.input_state import write_state
from snakemesh.survey.label_lists import write_lists


def prepare(run: Run) -> None:
    """Add to Snakemake what a run needs of it, in the process that plans.

    Jobs read the Snakefile too: what only the run needs is imported here.
    """
    from snakemesh.console.quick_snakemake import skip_notebooks, use_quick_planning

    skip_notebooks()
    use_quick_planning()
    if ExecutorPluginRegistry().is_installed("lsf"):
        from snakemesh.clusters.lsf_executor import use_with_lsf

        use_with_lsf(run.out)
    if ExecutorPluginRegistry().is_installed("slurm"):
        from snakemesh.clusters.slurm_executor import use_with_slurm

        use_with_slurm(run.out, not run.is_module)
    atexit.register(_say_at_exit, run)
    shown = run.workflow.output_settings
    if shown.dryrun:
        return
    if not run.is_module:
        from snakemesh.console.interrupted_start import end_starting_jobs_silently

        end_starting_jobs_silently()
    # None where another workflow decides what is shown, or the user with --verbose or --quiet
    quiet = None if run.is_module or shown.verbose or shown.quiet else quieted(logger)
    logger.addHandler(StartHandler(lambda: _begin(run, quiet), run.out))


def _begin(run: Run, quiet: QuietHandler | None) -> bool:
    """Take the output folder, and keep for the jobs what the plan has seen.

    Returns False while another workflow has no job of ours to run.
    """
    from snakemesh.console.stop import make_stoppable
    from snakemesh.output import lock

    left = run.works_left()
    rules = {rule for rule, _ in left.values()}
    if run.is_module and not left:
        return False
    try:
        make_stoppable()
        if not lock.acquire(Path(run.out.root), _say, _lost):
            return True  # Snakemake reads the Snakefile once more for each `use rule ... with`
        logger.info(_summary(run), extra=SHOWN)
        _keep_for_jobs(run, left)
        _compile(run, rules)
        _fork_jobs(run)
    except (UserError, OSError) as error:
        line = lock.unwritable(run.out.root, error) if isinstance(error, OSError) else error
        print(f"snakemesh: {line}", file=sys.stderr)  # the scheduler hides what an exit says
        sys.exit(1)
    except KeyboardInterrupt:  # while it waits to see whether another run lives, or compiles
        sys.exit(130)
    works = {number: work for number, (_, work) in left.items()}
    verifies = "verify_table" in rules
    watch_run(logger, quiet, run.out, works, run.shortages, lambda: _end(run, verifies))
    return True


def _keep_for_jobs(run: Run, left: Collection[int]) -> None:
    """Write what jobs read besides their inputs. left: Snakemake's numbers of the jobs."""
    make_folders(
        path
        for job in run.workflow.dag.needrun_jobs(exclude_finished=False)
        if job.jobid in left
        for path in job.products()
    )
    write_lists(run.input_state.lists, run.lists)
    write_label_map_state(run.fingerprints, run.out)
    # the last one: where it is, the others are
    write_state(run.out.input_state, run.input_state, run.mismatches)
    write_document(run.out.run_document, run_document(run.fingerprints))


def _compile(run: Run, rules: Collection[str]) -> None:
    """Compile what the jobs of these rules need, if it is not compiled yet."""
    if run.workflow.deployment_settings.deployment_method:
        return  # jobs run another Python
    from snakemesh.kernels.compile_first import compile_first, parts_to_compile

    if parts := parts_to_compile(rules, run.plan.table is not None):
        logger.info(
            "  compile  functions, once for all clones and nodes: up to half a minute", extra=SHOWN
        )
        compile_first(parts, run.workflow.resource_settings.cores, _say)


def _fork_jobs(run: Run) -> None:
    """Start jobs without waiting for their imports, if this process starts them."""
    workflow: Any = run.workflow
    # another workflow has jobs of its own, and jobs of a cluster start there
    if run.is_module or not workflow.local_exec or workflow.deployment_settings.deployment_method:
        return
    from snakemesh.kernels.compile_first import needed_parts
    from snakemesh.run.forked_jobs import fork_jobs

    has_bodies = run.plan.table is not None
    fork_jobs(lambda rule: needed_parts([rule], has_bodies))


def _end(run: Run, verifies: bool) -> None:
    """Say where the result is, and what there is to say of it.

    verifies: whether the run has verified it.
    """
    out = run.out
    Path(out.submitted).unlink(missing_ok=True)  # no job is left
    if verifies:
        print(verify_report(out.log(f"verify_table.{run.fingerprints.verified}")), flush=True)
    facts = read_marker(run.products.documents.marker)
    for line in result_lines(facts, out):
        logger.info(line, extra=SHOWN)
    if facts is not None:
        logger.info(f"  look     {view_command(out)}", extra=SHOWN)
    if os.path.exists(page := out.report_file("overview.rst", run.fingerprints.documents)):
        line = f"  report   {os.path.dirname(page)}; --report report.html packs it"
        logger.info(line, extra=SHOWN)
    for remark in remarks_after(facts):
        _say(remark)


def _say_at_exit(run: Run) -> None:
    """Print the plan of a dry run after its jobs, which can be many, or help with a wrong target.

    Snakemake makes its scheduler when it has found a way to make what was asked for.
    """
    workflow: Any = run.workflow
    if workflow.scheduler is not None:
        if workflow.output_settings.dryrun:
            print(f"\n{_summary(run)}")
    elif not run.is_module and workflow.dag_settings is not None:
        unknown = (t for t in workflow.dag_settings.targets if not workflow.is_rule(t))
        for line in target_remarks(unknown):
            print(f"snakemesh: {line}", file=sys.stderr)


def _summary(run: Run) -> str:
    """The plan in words, and what is left of it."""
    return plan_in_words(run, run.works_left().values())


def _say(line: str) -> None:
    """Print a line of ours among Snakemake's own messages."""
    logger.warning(f"snakemesh: {line}", extra=SHOWN)


def _lost(line: str) -> None:
    """End the run: another one writes to its output folder."""
    from snakemesh.console.stop import stop_run

    logger.error(f"snakemesh: {line}", extra=SHOWN)
    stop_run()
