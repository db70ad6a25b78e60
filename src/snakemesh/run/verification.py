"""What the rules of verification wait for and are told."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from snakemesh.boxes import Box, box_index, box_name, indices
from snakemesh.job_records import VerifyJob
from snakemesh.output.served_products import Documents
from snakemesh.plan import jobs
from snakemesh.run.result import Result
from snakemesh.run.run import Run, Wildcards


@dataclass(frozen=True)
class Verification:
    """What is read of a result, and what is found."""

    run: Run
    result: Result

    def finished(self, wildcards: Wildcards) -> list[str]:
        """The marker of the result, if this run makes anything of it; nothing if it is finished.

        A finished result must not be an input: Snakemake would make damaged files again before they
        are found.
        """
        run = self.run
        marker = run.out.result_marker(run.fingerprint("result"))
        is_made = run.plans and marker in run.workflow.dag.forcefiles
        return [marker] if is_made or not os.path.exists(marker) else []

    def box(self, wildcards: Wildcards) -> Box:
        """The voxels of s0 that a job counts."""
        return jobs.own_box(self.run.plan, 0, box_index(wildcards.box))

    def job(self, wildcards: Wildcards) -> VerifyJob:
        """What a job of verification knows."""
        run = self.run
        run.refuse_older_plan(wildcards, run.fingerprint("verified"))
        table = None if run.plan.table is None else run.products.table
        return jobs.verify_job(run.plan, run.input_state.lists, table)

    def of_boxes(self, path: Callable[[str, str], str]) -> list[str]:
        """What is found in each box, z slowest. path: of box and fingerprint."""
        name = self.run.fingerprint("verified")
        return [path(box_name(index), name) for index in indices(self.run.plan.blocks(0))]

    def counts(self, wildcards: Wildcards = None) -> list[str]:
        """The labels that are counted in each box."""
        return self.of_boxes(self.run.out.verify_counts)

    def findings(self, wildcards: Wildcards = None) -> list[str]:
        """What is found in each shard."""
        name = self.run.fingerprint("verified")
        return [self.run.out.verify_findings(n, name) for n in jobs.shard_names(self.run.plan)]

    def documents(self, wildcards: Wildcards) -> Documents:
        """The documents that are read."""
        return Documents(self.run.out, self.run.fingerprint("documents"))

    def target(self, wildcards: Wildcards) -> list[str]:
        """The marker of a sound output. Everything is read again, whatever was found before."""
        name = self.run.fingerprint("verified")
        markers = [self.run.out.verify_counts_marker(name), self.run.out.verify_marker(name)]
        return self.run.target(markers[1:], [*markers, *self.counts(), *self.findings()])

    def if_asked(self, wildcards: Wildcards) -> list[str]:
        """With the key `verify`, a run verifies what it has made, once."""
        run = self.run
        if not run.settings.verify or not run.plans:
            return []
        is_there = os.path.exists(run.out.verify_marker(run.fingerprints.verified))
        return [] if self.result.is_done and is_there else self.target(wildcards)
