"""The plan of a run in words, with what there is to say of its labels, its input and its output."""

from collections.abc import Collection

from snakemesh.console.remarks import remarks_before
from snakemesh.console.summary import plan_summary
from snakemesh.cost.estimates import Work
from snakemesh.cost.machine_speed import kept_ratio
from snakemesh.run.run import Run
from snakemesh.survey.label_lists import list_remarks


def plan_in_words(run: Run, left: Collection[tuple[str, Work]] | None = None) -> str:
    """Lines that say what a run does and takes, and what it makes again and why.

    left: rule and work of each job that is still to be run; None leaves out the line about them.
    """
    made = None if left is None or not run.damage else run.files_left()
    remarks = remarks_before(run.fingerprints, run.out, run.damage, made)
    remarks = [*list_remarks(run.settings, run.lists), *remarks]
    return plan_summary(run.plan, left, remarks, run.is_module, kept_ratio() or 1.0)
