"""Opening a run: reading its configuration, looking at its input, and making its plan."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snakemesh.config.configuration import read_settings, typed
from snakemesh.config.settings import Settings
from snakemesh.console.run_start import refuse_read_only_folder
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.plan import make_plan
from snakemesh.products import label_map
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.other_input import refuse_other_input
from snakemesh.run.run import Run
from snakemesh.survey.density import is_sparse
from snakemesh.survey.good_levels import unfit_levels
from snakemesh.survey.input_state import look_at_input, read_kept, read_state
from snakemesh.survey.inputs import check_tables, source_levels
from snakemesh.survey.label_lists import label_files, read_lists
from snakemesh.survey.sample import sample_of


def open_run(config: Mapping[str, Any], workflow: Any) -> Run:
    """The run of a configuration. workflow: Snakemake's. Raises UserError.

    A job uses what the planning run has seen, so that all jobs agree even if files change
    meanwhile. A job of another workflow may run before any job of ours, when the planning run has
    kept nothing yet; it looks for itself.
    """
    # Snakemake knows it only while it reads the Snakefile
    is_module = not workflow.modifier.is_main_snakefile()
    if workflow.is_main_process and not is_module:
        refuse_read_only_folder(workflow.main_snakefile)
    if workflow.is_main_process:
        return look_at(config, workflow, is_module)
    settings = read_settings(typed(config), is_checked=True)
    out = _folder(settings)
    if os.path.exists(out.input_state):
        return _as_kept(settings, out, workflow, is_module)
    return _looked_at(settings, out, workflow, is_module)


def look_at(config: Mapping[str, Any], workflow: Any = None, is_module: bool = False) -> Run:
    """The run of a configuration, planned for its input and its output as they are now.

    workflow: Snakemake's; None for the plan alone, without jobs. Raises UserError, also where the
    output was made from another input. Nothing is written.
    """
    settings = read_settings(typed(config))
    out = _folder(settings)
    run = _looked_at(settings, out, workflow, is_module)
    refuse_other_input(run.fingerprints, out)
    return run


def _folder(settings: Settings) -> OutputFolder:
    return OutputFolder(os.path.normpath(settings.output_directory))


def _looked_at(settings: Settings, out: OutputFolder, workflow: Any, is_module: bool) -> Run:
    """The run as the input is now."""
    check_tables(settings)
    table = label_map.look_at_table(settings, out)
    levels = source_levels(settings)
    mismatches = unfit_levels(settings, levels, table)
    plan = make_plan(settings, levels, table, mismatches=mismatches)
    if is_sparse(plan):
        plan = make_plan(settings, levels, table, True, mismatches)
    plan = replace(plan, sample=sample_of(plan))
    lists = read_lists(settings, plan.dtype)
    state = look_at_input(plan, label_files(plan, lists))
    tokens = label_map.look_at_tokens(Fingerprints(plan, state), out)
    fingerprints = Fingerprints(plan, state, tokens)
    return Run(workflow, is_module, settings, out, plan, lists, mismatches, fingerprints)


def _as_kept(settings: Settings, out: OutputFolder, workflow: Any, is_module: bool) -> Run:
    """The run as it was when it was planned."""
    table = label_map.read_table_of_run(settings, out)
    kept = read_kept(out.input_state)
    plan = make_plan(settings, source_levels(settings), table, kept.is_sparse, kept.mismatches)
    plan = replace(plan, sample=kept.sample)
    state = read_state(out.input_state, plan)
    tokens = label_map.read_tokens_of_run(Fingerprints(plan, state), out)
    fingerprints = Fingerprints(plan, state, tokens)
    return Run(workflow, is_module, settings, out, plan, {}, kept.mismatches, fingerprints)
