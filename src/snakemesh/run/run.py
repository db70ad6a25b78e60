"""A run as the rules see it: what was decided and seen when Snakemake read the Snakefile."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

from snakemake.exceptions import WorkflowError

from snakemesh.config.settings import Settings
from snakemesh.cost.estimates import Work, job_work
from snakemesh.cost.failure_reasons import MEMORY, TIME
from snakemesh.cost.machine_speed import MEASURED_RULES, MOST_LOGS
from snakemesh.cost.resources import Resources, resources_of
from snakemesh.cost.shortages import Shortages, shortages_of
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.output.served_products import Shard
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
    def is_local(self) -> bool:
        """Whether jobs run on this machine. Snakemake does not know while it reads the rules."""
        return self.plans and bool(self.workflow.local_exec)

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
        """The hash of a product of the whole volume: "shards", "documents", "verified", ...

        Jobs read it from snakemesh.json; computing it again would take a second.
        """
        if self.plans:
            return str(getattr(self.fingerprints, product))
        document = read_marker(self.out.run_document)
        if document is None:
            raise WorkflowError(f"{self.out.run_document} is gone; start the run again")
        return str(document["products"][product])

    @cached_property
    def damage(self) -> dict[str, str]:
        """By marker, what is damaged in the products of earlier runs."""
        return damage(self.products)

    def missing(self, products: Iterable[str]) -> list[str]:
        """The products among these that have to be made.

        A product is known by its name. One that exists and is sound is not an input of any job, so
        neither its date nor what this clone remembers of it matters. A job itself gets all of them.
        """
        if not self.plans:
            return list(products)
        return [path for path in products if path in self.damage or not os.path.exists(path)]

    def target(self, products: list[str], made_again: Iterable[str] = ()) -> list[str]:
        """The input of a target. Damaged products are made again, as with --forcerun.

        made_again: further products to make again.
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

    # What several rules wait for or are told

    def label_map_marker(self, wildcards: Wildcards = None) -> list[str]:
        """What vouches for the table of bodies, which jobs read; nothing without one."""
        return [] if self.plan.table is None else [self.products.table_marker]

    def shard(self, wildcards: Wildcards) -> Shard:
        """The shard that a job reads."""
        name = self.fingerprint("shards")
        return Shard(self.out, name, wildcards.shard, self.settings.sharded)

    # What jobs ask for

    def work(self, rule: str, wildcards: Wildcards) -> Work:
        """What a job is expected to cost."""
        return job_work(self.plan, rule, dict(wildcards.items()))

    def works_left(self) -> dict[int, tuple[str, Work]]:
        """Rule and work of every job of this run, by Snakemake's number of the job.

        Jobs of another workflow that uses this one are left out. A target has no log, but Snakemake
        counts it as a job.
        """
        return {
            job.jobid: (rule, job_work(self.plan, rule, job.wildcards_dict))
            for job in self.workflow.dag.needrun_jobs(exclude_finished=False)
            if (rule := self._rule_of(job)) is not None
        }

    def files_left(self) -> set[str]:
        """The files that the jobs of this run make."""
        jobs = self.workflow.dag.needrun_jobs(exclude_finished=False)
        return {str(path) for job in jobs for path in job.output}

    def measured_jobs(self) -> list[tuple[str, float]]:
        """The log and the expected seconds of jobs whose times show how fast this machine is.

        Of many jobs, a part is taken, evenly spread. Empty where jobs run elsewhere.
        """
        if not self.workflow.local_exec:
            return []
        found = [
            (job.log[0], job_work(self.plan, rule, job.wildcards_dict).seconds)
            for job in self.workflow.dag.needrun_jobs(exclude_finished=False)
            if (rule := self.out.rule_of_logs(job.log)) in MEASURED_RULES
        ]
        return found[:: math.ceil(len(found) / MOST_LOGS)] if found else []

    def _rule_of(self, job: Any) -> str | None:
        """The rule of a job of Snakemake's, by our name for it; None if the job is not ours."""
        return self.out.rule_of_logs(job.log) or (None if self.is_module else job.rule.name)

    @cached_property
    def _first(self) -> Callable[[str, int], Resources]:
        """What the first attempt asks for, by rule and LOD: the same for all blocks of an LOD."""
        return cache(partial(resources_of, self.plan))

    def resources(self, rule: str) -> dict[str, Callable[[Wildcards], int]]:
        """Functions from wildcards to the memory and time that a job asks for.

        They are larger after a shortage of it.
        """

        def function(resource: str) -> Callable[[Wildcards], int]:
            def amount(wildcards: Wildcards) -> int:
                lod = int(wildcards.lod) if rule == "mesh_block" else 0
                first: int = getattr(self._first(rule, lod), resource)
                return first * self.shortages.factor(rule, wildcards, resource)

            return amount

        return {resource: function(resource) for resource in (MEMORY, TIME)}

    def if_short(self, rule: str, group: str) -> Callable[[Wildcards], str | None]:
        """A function from wildcards to the group of a job: `group`, or None if the job takes long.

        In a large volume, a group of 8 blocks of 1.2 hours each would be a cluster job of 10 hours.
        Without a cluster there are no groups: each would be one job, and take longer to plan.
        """

        def group_of(wildcards: Wildcards) -> str | None:
            if self.is_local:
                return None
            is_short = self.work(rule, wildcards).seconds < SHORT_S
            return group.format(**wildcards) if is_short else None

        return group_of
