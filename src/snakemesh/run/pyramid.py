"""What the rules that build levels wait for and are told."""

import os
from dataclasses import dataclass
from functools import cached_property

from snakemesh.boxes import box_index
from snakemesh.job_records import PyramidGroup, SuperChunkJob
from snakemesh.plan import jobs
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.products.label_map import label_map_of
from snakemesh.run.run import Run, Wildcards


@dataclass(frozen=True)
class Pyramid:
    """The levels of a run that are built."""

    run: Run

    @cached_property
    def group(self) -> PyramidGroup:
        """The group that holds them."""
        return pyramid_group(self.run.plan)

    def super_chunk(self, wildcards: Wildcards) -> SuperChunkJob:
        """The job of a super-chunk."""
        run, number, index = self.run, int(wildcards.stage), box_index(wildcards.box)
        run.refuse_older_plan(wildcards, run.fingerprints.super_chunk(number, index))
        stage = run.plan.stages[number]
        watch = run.fingerprints.watch(stage.base, jobs.super_chunk_box(run.plan, stage, index))
        mapping = label_map_of(run.fingerprints, run.out, "stage", number, index)
        return jobs.super_chunk_job(run.plan, stage, index, watch, mapping)

    def read_by_super_chunk(self, wildcards: Wildcards) -> list[str]:
        """The markers of what a super-chunk reads: those of an earlier stage, or the bodies."""
        stage = self.run.plan.stages[int(wildcards.stage)]
        if stage.base == 0:
            return self.run.label_map_marker()
        index = box_index(wildcards.box)
        needed = jobs.super_chunks_for_super_chunk(self.run.plan, stage, index)
        return self.run.products.super_chunk_markers(needed)

    def before_super_chunk(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before a super-chunk."""
        group = self.run.products.levels_marker
        return self.run.missing([group, *self.read_by_super_chunk(wildcards)])

    def markers(self) -> list[str]:
        """The markers of the group and all its super-chunks; nothing where no level is missing."""
        markers = self.run.products.super_chunk_markers(self.run.products.super_chunks())
        return [self.run.products.levels_marker, *markers] if markers else []

    def kept(self) -> list[str]:
        """A pyramid that is kept is a result like the meshes."""
        return [] if self.run.settings.delete_intermediate_scales else self.markers()

    def removed(self) -> str | None:
        """The folder of the levels, if they are only needed between jobs."""
        return self.group.path if self.run.settings.delete_intermediate_scales else None

    def target(self, wildcards: Wildcards) -> list[str]:
        """The input of the target `pyramid`: the levels, or what an earlier run has left."""
        document = self.run.out.run_document
        there = [document] if os.path.exists(document) else []
        return self.run.target(self.run.missing(self.markers()) or there)
