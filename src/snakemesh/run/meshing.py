"""What the rules of meshing wait for and are told."""

import os
from dataclasses import dataclass
from functools import cached_property

from snakemesh.boxes import Index, box_index
from snakemesh.cost.content import surfaces_of_blocks
from snakemesh.job_records import MeshBlockJob
from snakemesh.plan import jobs
from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.together import blocks_together
from snakemesh.products.label_map import label_map_of
from snakemesh.run.run import Run, Wildcards


@dataclass(frozen=True)
class Meshing:
    """The blocks of a run and their containers. A block is known by its LOD and its index."""

    run: Run

    # One job for a block

    def block(self, wildcards: Wildcards) -> MeshBlockJob:
        """The job of a block."""
        lod, index = int(wildcards.lod), box_index(wildcards.box)
        self.run.refuse_older_plan(wildcards, self.run.fingerprints.block(lod, index))
        return self._job(lod, index)

    def _job(self, lod: int, index: Index) -> MeshBlockJob:
        run = self.run
        box = jobs.block_box(run.plan, lod, index)
        # a block that is made from fragments reads no chunks
        is_of_voxels = not run.plan.is_of_fragments(lod)
        watch = run.fingerprints.watch(lod, box) if is_of_voxels else None
        mapping = label_map_of(run.fingerprints, run.out, "lod", lod, index)
        lists, finer = run.input_state.lists, self._finer(lod, index)
        return jobs.mesh_block_job(run.plan, lod, index, watch, lists, mapping, finer)

    def voxels_of_block(self, wildcards: Wildcards) -> list[str]:
        """The markers of the super-chunks, or of the table of bodies, that a block reads."""
        return self._voxels(int(wildcards.lod), box_index(wildcards.box))

    def _voxels(self, lod: int, index: Index) -> list[str]:
        if lod == 0:
            return self.run.label_map_marker()
        super_chunks = jobs.super_chunks_for_block(self.run.plan, lod, index)
        return self.run.products.super_chunk_markers(super_chunks)

    def _finer(self, lod: int, index: Index) -> list[str]:
        """The containers of the LOD below that a block is made from, if it is made from any."""
        finer = finer_blocks(self.run.plan, lod, index)
        return self.run.products.containers((lod - 1, found) for found in finer)

    def before_block(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before a block."""
        lod, index = int(wildcards.lod), box_index(wildcards.box)
        return self.run.missing([*self._voxels(lod, index), *self._finer(lod, index)])

    def priority(self, wildcards: Wildcards) -> int:
        """The longest jobs start first, so that no core waits long for the last one."""
        surface = self._surfaces.get((int(wildcards.lod), box_index(wildcards.box)), 1.0)
        return round(self.run.work("mesh_block", wildcards).voxels * surface)

    @cached_property
    def _surfaces(self) -> dict[tuple[int, Index], float]:
        return surfaces_of_blocks(self.run.plan)

    # One job for the blocks of small LODs

    @cached_property
    def together(self) -> list[tuple[int, Index]]:
        """The blocks that one job meshes."""
        return blocks_together(self.run.plan)

    @cached_property
    def left_together(self) -> list[tuple[int, Index]]:
        """The blocks of this job whose containers do not exist when the Snakefile is read."""
        container = self.run.products.container
        return [block for block in self.together if not os.path.exists(container(*block))]

    def containers_together(self) -> list[str]:
        """The containers that this job has to make."""
        return self.run.products.containers(self.left_together)

    def jobs_together(self, wildcards: Wildcards) -> list[MeshBlockJob]:
        """The jobs of these blocks."""
        return [self._job(*block) for block in self.left_together]

    def voxels_together(self, wildcards: Wildcards) -> list[str]:
        """The markers of what these blocks read, each once."""
        return list(dict.fromkeys(m for block in self.together for m in self._voxels(*block)))

    def before_together(self, wildcards: Wildcards) -> list[str]:
        """What has to be made before this job: not the containers that it makes itself."""
        own = set(self.run.products.containers(self.together))
        finer = dict.fromkeys(path for block in self.together for path in self._finer(*block))
        others = (path for path in finer if path not in own)
        return self.run.missing([*self.voxels_together(wildcards), *others])

    # Bundles, and what shards read

    def containers(self) -> list[str]:
        """The containers of all blocks."""
        return self.run.products.containers(self.run.products.blocks())

    def bundle(self, wildcards: Wildcards) -> list[str]:
        """The containers that a bundle holds, for its job."""
        lod, number = int(wildcards.lod), int(wildcards.bundle)
        self.run.refuse_older_plan(wildcards, self.run.fingerprints.bundle(lod, number))
        return self._bundled(lod, number)

    def before_bundle(self, wildcards: Wildcards) -> list[str]:
        """The containers of a bundle that have to be made before it."""
        return self.run.missing(self._bundled(int(wildcards.lod), int(wildcards.bundle)))

    def _bundled(self, lod: int, number: int) -> list[str]:
        blocks = jobs.blocks_of_bundle(self.run.plan, lod, number)
        return self.run.products.containers((lod, index) for index in blocks)

    def read_by_shards(self, wildcards: Wildcards) -> list[str]:
        """The bundles, or the containers of all blocks where there are no bundles."""
        return self.run.products.bundles() or self.containers()

    def not_read_any_more(self, wildcards: Wildcards) -> list[str]:
        """Containers that are bundled would fill the disk: they are kept if that is asked for."""
        is_kept = self.run.settings.keep_fragments or not self.run.plan.bundles(0)
        return [] if is_kept else self.containers()

    def kept(self) -> list[str]:
        """Containers that are kept are a result like the meshes."""
        return self.containers() if self.run.settings.keep_fragments else []
