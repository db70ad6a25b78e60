"""The plan of a run in words, with what there is to say of its labels, its input and its output."""

from collections.abc import Collection

from snakemesh.console.remarks import remarks_before
from snakemesh.console.summary import plan_summary
from snakemesh.cost.estimates import Work
from snakemesh.run.run import Run
from snakemesh.survey.label_lists import list_remarks


def plan_in_words(run: Run, left: Collection[tuple[str, Work]] | None = None) -> str:
    """Lines that say what a run does and takes, and what it makes again and why.

    left: rule and work of each job that is still to be run; None leaves out the line about them.
    """
    remarks = remarks_before(run.fingerprints, run.out, run.damage)
    return plan_summary(run.plan, left, [*list_remarks(run.settings, run.lists), *remarks])
