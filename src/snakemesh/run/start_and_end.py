"""The start and the end of a run: what happens around Snakemake's own work."""

import atexit
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemesh.console.interrupted_start import end_starting_jobs_silently
from snakemesh.console.quiet import SHOWN, QuietHandler, quieted
from snakemesh.console.remarks import remarks_after, result_lines, target_remarks, view_command
from snakemesh.console.run_start import StartHandler, make_folders
from snakemesh.console.stop import make_stoppable, stop_run
from snakemesh.console.summary import dry_run_line
from snakemesh.console.watch import verify_report, watch_run
from snakemesh.cost.machine_speed import keep_ratio, kept_ratio, machine, measured_ratio
from snakemesh.errors import UserError, one_line
from snakemesh.kernels.compile_first import compile_first, needed_parts, parts_to_compile
from snakemesh.kernels.kernel_files import is_ready
from snakemesh.output import lock
from snakemesh.output.markers import read_marker
from snakemesh.products.label_map import write_label_map_state
from snakemesh.products.provenance import is_current, run_document, write_document
from snakemesh.run.forked_jobs import SERVER, ForkServer, environment_of, fork_jobs
from snakemesh.run.plan_in_words import plan_in_words
from snakemesh.run.run import Run
from snakemesh.survey.input_state import write_state
from snakemesh.survey.label_lists import write_lists


def prepare(run: Run) -> None:
    """Change Snakemake as a run needs it, in the process that plans."""
    # here, because Snakemake's modules that it changes cannot be imported first of all
    from snakemesh.console.quick_snakemake import end_at_once, skip_notebooks, use_quick_planning

    skip_notebooks()
    use_quick_planning()
    end_at_once()
    if ExecutorPluginRegistry().is_installed("lsf"):
        from snakemesh.clusters.lsf_executor import use_with_lsf

        use_with_lsf(run.out)
    if ExecutorPluginRegistry().is_installed("slurm"):
        from snakemesh.clusters.slurm_executor import use_with_slurm

        use_with_slurm(run.out, not run.is_module)
    atexit.register(_say_at_exit, run)
    shown = run.workflow.output_settings
    # None where another workflow decides what is shown, or the user with --verbose or --quiet
    quiet = None if run.is_module or shown.verbose or shown.quiet else quieted(logger)
    if shown.dryrun:
        if quiet is not None:
            # Snakemake then ends when it has counted the jobs, and does not go through all of them
            shown.quiet = {Quietness.RULES, Quietness.PROGRESS}
        if not run.is_module:
            logger.addHandler(StartHandler(lambda: _say_dry_run(run), run.out, lambda: None))
        return
    if not run.is_module:
        end_starting_jobs_silently()
    forks, idle = _started_early(run), partial(_mend_document, run)
    logger.addHandler(StartHandler(lambda: _begin(run, quiet, forks), run.out, idle))


def _started_early(run: Run) -> ForkServer:
    """The server for jobs on this machine.

    It is started here if this run seems to need it: it loads for most of a second while Snakemake
    plans.
    """
    forks = ForkServer(SERVER)
    is_for_cluster = run.workflow.resource_settings.nodes is not None
    if not is_for_cluster and _may_fork(run) and not os.path.exists(run.products.documents.marker):
        rules = {"mesh_block"} | ({"pyramid_super_chunk"} if run.plan.stages else set())
        parts = needed_parts(rules, run.plan.table is not None)
        forks.start(environment_of(tempfile.gettempdir()), list(filter(is_ready, parts)))
    return forks


def _may_fork(run: Run) -> bool:
    """Whether jobs on this machine run in the Python of this run, and are all ours."""
    return not run.is_module and not run.workflow.deployment_settings.deployment_method


def _begin(run: Run, quiet: QuietHandler | None, forks: ForkServer) -> bool:
    """Lock the output directory, and write what jobs read.

    forks: for jobs on this machine. Returns False while another workflow has no job of ours to run.
    """
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
        _fork_jobs(run, forks)
    except (UserError, OSError) as error:
        line = lock.unwritable(run.out.root, error) if isinstance(error, OSError) else error
        print(f"snakemesh: {line}", file=sys.stderr)  # Snakemake hides the message of an exit
        sys.exit(1)
    except KeyboardInterrupt:  # while it waits to see whether another run lives, or compiles
        sys.exit(130)
    works = {number: work for number, (_, work) in left.items()}
    verifies, measured = "verify_table" in rules, run.measured_jobs()
    watch_run(logger, quiet, run.out, works, run.shortages, lambda: _end(run, verifies, measured))
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
    # written last: if it exists, the others do too
    write_state(run.out.input_state, run.input_state, run.mismatches)
    _write_document(run)


def _write_document(run: Run) -> None:
    """Write what the run makes and from what, and how fast the machine is that plans it."""
    speed = {"machine": machine(), "cpu_s_for_expected_s": kept_ratio()}
    write_document(run.out.run_document, run_document(run.fingerprints) | {"speed": speed})


def _mend_document(run: Run) -> None:
    """Write the run's document where it is gone, damaged or that of another run, and nothing else.

    Another run may have ended before it made anything. Other commands know the output by the
    document.
    """
    path, marker = run.out.run_document, run.products.documents.marker
    if not os.path.exists(marker) or is_current(read_marker(path), run_document(run.fingerprints)):
        return
    try:
        make_stoppable()
        lock.acquire(Path(run.out.root), _say, _lost)
        _write_document(run)
    except (UserError, OSError) as error:
        _say(f"{path} is not that of this run, and cannot be written: {one_line(error)}")
    else:
        _say(f"{path} was gone or not that of this run: written again")


def _compile(run: Run, rules: Collection[str]) -> None:
    """Compile what the jobs of these rules need, if it is not compiled yet."""
    if run.workflow.deployment_settings.deployment_method:
        return  # jobs run another Python
    if parts := parts_to_compile(rules, run.plan.table is not None):
        logger.info(
            "  compile  functions: up to half a minute, once for all clones and nodes", extra=SHOWN
        )
        compile_first(parts, run.workflow.resource_settings.cores, _say)


def _fork_jobs(run: Run, forks: ForkServer) -> None:
    """Start jobs without waiting for their imports, if this process starts them."""
    if run.workflow.local_exec and _may_fork(run):
        has_bodies = run.plan.table is not None
        fork_jobs(forks, lambda rule: needed_parts([rule], has_bodies))
    else:
        forks.end()


def _end(run: Run, verifies: bool, measured: Collection[tuple[str, float]]) -> None:
    """Print where the result is, and remarks about it.

    verifies: whether the run has verified it. measured: logs and expected seconds of jobs, as in
    `Run.measured_jobs`.
    """
    out = run.out
    if (ratio := measured_ratio(measured)) is not None:
        keep_ratio(ratio)
        with suppress(OSError):  # the result is there, and this line is only for people
            _write_document(run)
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


def _say_dry_run(run: Run) -> bool:
    """Print the plan of a dry run, and how many jobs would run. Snakemake lists the jobs next."""
    counts = Counter(rule for rule, _ in run.works_left().values())
    print(_summary(run))
    print(dry_run_line({rule.name: counts[rule.name] for rule in run.workflow.rules}), flush=True)
    return True


def _say_at_exit(run: Run) -> None:
    """Print the plan of a dry run without any job, or help with a wrong target.

    Where another workflow uses this one, the plan follows the jobs of both. Snakemake makes its
    scheduler when it has found a way to make what was asked for.
    """
    workflow: Any = run.workflow
    if workflow.scheduler is not None:
        if workflow.output_settings.dryrun and (run.is_module or not run.works_left()):
            print(_summary(run))
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
    logger.error(f"snakemesh: {line}", extra=SHOWN)
    stop_run()
