"""What the rules of shards, documents and the end of a run wait for and are told."""

from dataclasses import dataclass
from functools import cached_property

from snakemesh.job_records import ShardJob
from snakemesh.output.markers import read_marker
from snakemesh.plan import jobs
from snakemesh.products.label_map import records_of_run
from snakemesh.products.provenance import part
from snakemesh.run.measuring import Measuring
from snakemesh.run.meshing import Meshing
from snakemesh.run.pyramid import Pyramid
from snakemesh.run.run import Run, Wildcards
from snakemesh.tables.sorted_bodies import index_path


@dataclass(frozen=True)
class Result:
    """What is served, and what else is left when a run is done."""

    run: Run
    pyramid: Pyramid
    meshing: Meshing
    measuring: Measuring

    def blocks_marker(self, wildcards: Wildcards) -> str:
        """The marker that every block is meshed."""
        return self.run.out.blocks_marker(self.run.fingerprint("blocks"))

    def before_shard(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before a shard."""
        return self.run.missing([self.blocks_marker(wildcards)])

    def shard(self, wildcards: Wildcards) -> ShardJob:
        """The job of a shard."""
        self.run.refuse_older_plan(wildcards, self.run.fingerprint("shards"))
        return jobs.shard_job(self.run.plan)

    def before_documents(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before the documents."""
        shards = self.run.products.shards
        of_shards = (path for shard in shards for path in shard.products)
        return self.run.missing([*of_shards, *self.measuring.products()])

    def properties(self, wildcards: Wildcards) -> str | None:
        """The digest of the user's table of properties when the run was planned."""
        if self.run.plans:
            return self.run.fingerprints.properties
        document = read_marker(self.run.out.run_document) or {}
        return part(document, "input").get("segment_properties")

    def products(self) -> list[str]:
        """The markers of what a run leaves, except the marker of the clean-up."""
        made = self.run.products
        markers = [product.marker for product in (*made.shards, made.documents)]
        kept = (*self.pyramid.kept(), *self.meshing.kept(), *self.measuring.kept())
        return [*markers, *self.measuring.products(), *kept]

    def kept_of_label_map(self, wildcards: Wildcards) -> list[str]:
        """The sorted table and the labels that jobs have seen, which the next run compares."""
        run = self.run
        if run.plan.table is None:
            return []
        table = run.products.table
        files = [table, str(index_path(table)), *run.label_map_marker()]
        return [*files, *records_of_run(run.fingerprints, run.out)]

    @property
    def marker(self) -> str:
        """The marker of the result."""
        return self.run.products.result_marker

    def target(self, wildcards: Wildcards) -> list[str]:
        """The input of the target `all`.

        The clean-up looks at everything again when anything is made.
        """
        is_left = bool(self.run.missing(self.products()))
        return self.run.target([self.marker], [self.marker] if is_left else [])

    @cached_property
    def is_done(self) -> bool:
        """Whether the run that plans has nothing to make."""
        return self.run.plans and not self.run.missing([*self.products(), self.marker])

    def sorted_table(self, wildcards: Wildcards) -> str:
        """The path of the sorted table of bodies, for the job that writes it."""
        self.run.refuse_older_plan(wildcards, self.run.fingerprints.label_map)
        return self.run.out.label_map(wildcards.fingerprint)
