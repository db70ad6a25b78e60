"""A run as the rules see it: what was decided and seen when Snakemake read the Snakefile."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

from snakemake.exceptions import WorkflowError

from snakemesh.config.settings import Settings
from snakemesh.cost.asked import Asked, asked
from snakemesh.cost.estimates import Work, job_work
from snakemesh.cost.failure_reasons import MEMORY, TIME
from snakemesh.cost.shortages import Shortages, shortages_of
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.plan.plan import Plan
from snakemesh.products.damage import damage
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.products import Products
from snakemesh.survey.input_state import InputState
from snakemesh.survey.label_lists import Listed

# Jobs that are expected to take this many seconds or more are not put into a group with others. A
# group is one job of a cluster.
SHORT_S = 120
# Snakemake's wildcards of a job: an attribute with a text for each.
Wildcards = Any


@dataclass(frozen=True)
class Run:
    """One reading of the Snakefile: by the run that plans, or by a process that runs a job of it.

    workflow: Snakemake's; None where the plan is only printed. is_module: whether another workflow
    uses this one. settings, lists: what the user has asked for. mismatches: by name, why levels of
    the input are not used. fingerprints: of all products.
    """

    workflow: Any
    is_module: bool
    settings: Settings
    out: OutputFolder
    plan: Plan
    lists: Mapping[str, Listed]
    mismatches: Mapping[str, str]
    fingerprints: Fingerprints

    @property
    def plans(self) -> bool:
        """Whether this process plans. Others run a job of the plan."""
        return bool(self.workflow.is_main_process)

    @property
    def input_state(self) -> InputState:
        """What the files of the input are."""
        return self.fingerprints.state

    @property
    def shortages(self) -> Shortages:
        """What jobs of this run were short of."""
        return shortages_of(self.out.root)

    # Products: which are there, and which are made

    @cached_property
    def products(self) -> Products:
        """All products, by the names that the plan gives them."""
        return Products(self.fingerprints, self.out)

    def fingerprint(self, product: str) -> str:
        """What a product of the whole volume is made from: "shards", "documents", "verified" ...

        To a job the run's document says it: to find out takes a second.
        """
        if self.plans:
            return str(getattr(self.fingerprints, product))
        document = read_marker(self.out.run_document)
        if document is None:
            raise WorkflowError(f"{self.out.run_document} is gone; start the run again")
        return str(document["products"][product])

    @cached_property
    def damage(self) -> dict[str, str]:
        """By marker, what is damaged of what earlier runs have made."""
        return damage(self.products)

    def missing(self, products: Iterable[str]) -> list[str]:
        """Those of the needed products that have to be made.

        A product is known by its name. One that is there and sound is no input of any job, so that
        neither its date nor what this clone remembers of it counts. A job finds all of them there.
        """
        if not self.plans:
            return list(products)
        return [path for path in products if path in self.damage or not os.path.exists(path)]

    def target(self, products: list[str], made_again: Iterable[str] = ()) -> list[str]:
        """The input of a target, for which damaged products are made again, as with --forcerun.

        made_again: others that are.
        """
        if self.plans:
            self.workflow.dag.forcefiles.update(self.damage, made_again)
        return products

    def refuse_older_plan(self, wildcards: Wildcards, fingerprint: str) -> None:
        """Raise where a job was planned for another configuration or another state of the input."""
        if wildcards.fingerprint != fingerprint:
            raise WorkflowError(
                "this job belongs to an earlier run with a different configuration or input"
            )

    # Names of products that several rules wait for

    def label_map_marker(self, reads_labels: bool) -> list[str]:
        """What a job that reads labels waits for; nothing if they are meshed as they are."""
        is_needed = self.plan.table is not None and reads_labels
        return [self.products.table_marker] if is_needed else []

    # What jobs ask for

    def work(self, rule: str, wildcards: Wildcards) -> Work:
        """What a job is expected to cost."""
        return job_work(self.plan, rule, dict(wildcards.items()))

    def works_left(self) -> dict[int, tuple[str, Work]]:
        """Rule and work of every job of this run that is ours, by Snakemake's number of the job.

        A dry run finishes them all.
        """
        return {
            job.jobid: (rule, job_work(self.plan, rule, job.wildcards_dict))
            for job in self.workflow.dag.needrun_jobs(exclude_finished=False)
            if (rule := self.out.rule_of_logs(job.log)) is not None
        }

    @cached_property
    def _first(self) -> Callable[[str, int], Asked]:
        """What the first attempt asks for, by rule and LOD: the same for all blocks of an LOD."""
        return cache(partial(asked, self.plan))

    def _enough(self, rule: str, number: str, resource: str) -> Callable[[Wildcards], int]:
        """A function from wildcards to a number of `Asked`, and more where that was too little."""

        def amount(wildcards: Wildcards) -> int:
            lod = int(wildcards.lod) if rule == "mesh_block" else 0
            first: int = getattr(self._first(rule, lod), number)
            return first * self.shortages.factor(rule, wildcards, resource)

        return amount

    def mem_mb(self, rule: str) -> Callable[[Wildcards], int]:
        """The memory of the jobs of a rule, and more where that was too little."""
        return self._enough(rule, "mem_mb", MEMORY)

    def runtime(self, rule: str) -> Callable[[Wildcards], int]:
        """The minutes of the jobs of a rule, and more where these were too few."""
        return self._enough(rule, "minutes", TIME)

    def if_short(self, rule: str, group: str) -> Callable[[Wildcards], str | None]:
        """A function from wildcards to the group of a job: `group`, or None if the job takes long.

        In a large volume, a group of 8 blocks of 1.2 hours each would be a cluster job of 10 hours.
        Without a cluster there are no groups: each would be one job, and take longer to plan.
        """

        def group_of(wildcards: Wildcards) -> str | None:
            # asked here, because Snakemake does not know while it reads the Snakefile
            if self.plans and self.workflow.local_exec:
                return None
            is_short = self.work(rule, wildcards).seconds < SHORT_S
            return group.format(**wildcards) if is_short else None

        return group_of
