"""What the rules of measuring wait for and are told."""

from dataclasses import dataclass

from snakemesh.boxes import box_index
from snakemesh.measure_job import CurvatureJob, MeasureJob
from snakemesh.output.measured_products import MeasuredBlock
from snakemesh.plan import jobs
from snakemesh.products.label_map import label_map_of
from snakemesh.run.run import Run, Wildcards


@dataclass(frozen=True)
class Measuring:
    """The blocks of LOD 0 and the shards that are measured, if the key `measures` asks for it."""

    run: Run

    def block(self, wildcards: Wildcards) -> MeasureJob:
        """The job that measures a block."""
        run, index = self.run, box_index(wildcards.box)
        run.refuse_older_plan(wildcards, run.fingerprints.measured_block(index))
        watch = run.fingerprints.watch(0, jobs.measured_box(run.plan, index))
        mapping = label_map_of(run.fingerprints, run.out, "lod", 0, index)
        return jobs.measure_job(run.plan, index, watch, mapping)

    def curvature(self, wildcards: Wildcards) -> CurvatureJob:
        """The job that measures these meshes."""
        self.run.refuse_older_plan(wildcards, self.run.fingerprint("measured_shards"))
        return jobs.curvature_job(self.run.plan)

    def blocks(self, wildcards: Wildcards) -> list[MeasuredBlock]:
        """What is measured of all blocks."""
        self.run.refuse_older_plan(wildcards, self.run.fingerprint("measured"))
        return self.run.products.measured_blocks

    def before_labels(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before the measures of all labels."""
        made = self.run.products
        parts = (*made.measured_blocks, *made.measured_shards)
        return self.run.missing(path for part in parts for path in part.products)

    def products(self, wildcards: Wildcards = None) -> list[str]:
        """The files of the measures of all labels, and their marker."""
        found = self.run.products.measured
        return [] if found is None else found.products

    def kept(self, wildcards: Wildcards = None) -> list[str]:
        """What is kept of the blocks, where fragments are kept: an edit leaves most of them."""
        blocks = self.run.products.measured_blocks if self.run.settings.keep_fragments else []
        return [path for block in blocks for path in block.products]
