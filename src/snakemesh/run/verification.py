"""What the rules of verification wait for and are told."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from snakemesh.boxes import Box, box_index, box_name, indices
from snakemesh.job_records import VerifyJob
from snakemesh.output.served_products import Documents, Shard
from snakemesh.plan import jobs
from snakemesh.run.result import Result
from snakemesh.run.run import Run, Wildcards


@dataclass(frozen=True)
class Verification:
    """What is read of a result, and what is found."""

    run: Run
    result: Result

    def finished(self, wildcards: Wildcards) -> list[str]:
        """What is verified: the output as it is, or as this run leaves it, if it makes anything.

        A finished output is no input: what is damaged in it would be made again, and not be found.
        """
        run = self.run
        marker = run.out.result_marker(run.fingerprint("result"))
        is_made = run.plans and marker in run.workflow.dag.forcefiles
        return [marker] if is_made or not os.path.exists(marker) else []

    def before_voxels(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before voxels are counted."""
        return self.run.missing(self.run.label_map_marker(True))

    def box(self, wildcards: Wildcards) -> Box:
        """The voxels of s0 that a job counts."""
        return jobs.own_box(self.run.plan, 0, box_index(wildcards.box))

    def job(self, wildcards: Wildcards) -> VerifyJob:
        """What a job of verification knows."""
        run = self.run
        run.refuse_older_plan(wildcards, run.fingerprint("verified"))
        table = None if run.plan.table is None else run.products.table
        return jobs.verify_job(run.plan, run.input_state.lists, table)

    def _of_boxes(self, path: Callable[[str, str], str]) -> list[str]:
        name = self.run.fingerprint("verified")
        return [path(box_name(index), name) for index in indices(self.run.plan.blocks(0))]

    def counts(self, wildcards: Wildcards = None) -> list[str]:
        """The labels that are counted in each box."""
        return self._of_boxes(self.run.out.verify_counts)

    def levels(self, wildcards: Wildcards) -> list[str]:
        """What is found in the levels of each box."""
        return self._of_boxes(self.run.out.verify_levels)

    def pieces(self, wildcards: Wildcards) -> list[str]:
        """The pieces of labels in each box, z slowest."""
        return self._of_boxes(self.run.out.verify_pieces)

    def findings(self, wildcards: Wildcards = None) -> list[str]:
        """What is found in each shard."""
        name = self.run.fingerprint("verified")
        return [self.run.out.verify_findings(n, name) for n in jobs.shard_names(self.run.plan)]

    def shard(self, wildcards: Wildcards) -> Shard:
        """The shard that is read."""
        run = self.run
        return Shard(run.out, run.fingerprint("shards"), wildcards.shard, run.settings.sharded)

    def documents(self, wildcards: Wildcards) -> Documents:
        """The documents that are read."""
        return Documents(self.run.out, self.run.fingerprint("documents"))

    def target(self, wildcards: Wildcards) -> list[str]:
        """The marker of a sound output. All is read again, whatever earlier runs have found."""
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
