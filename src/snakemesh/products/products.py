"""The products of a plan, each under the name that its fingerprint gives it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from snakemesh.boxes import Index, box_name, indices
from snakemesh.measure_job import CURVATURE, of_voxels
from snakemesh.output.folder import OutputFolder
from snakemesh.output.measured_products import Measured, MeasuredBlock
from snakemesh.output.served_products import Documents, Shard
from snakemesh.plan.jobs import shard_names
from snakemesh.products.fingerprints import Fingerprints


@dataclass(frozen=True)
class Products:
    """The files and markers that a run makes. A block is known by its LOD and its index."""

    fingerprints: Fingerprints
    folder: OutputFolder

    @property
    def levels_marker(self) -> str:
        """The marker of the group of built levels, with empty arrays."""
        return self.folder.levels_marker(self.fingerprints.group)

    def super_chunk_marker(self, stage: int, index: Index) -> str:
        """The marker of a super-chunk."""
        name = self.fingerprints.super_chunk(stage, index)
        return self.folder.super_chunk_marker(stage, box_name(index), name)

    def super_chunk_markers(self, super_chunks: Iterable[tuple[int, Index]]) -> list[str]:
        """The markers of some super-chunks, given as stage and index."""
        return [self.super_chunk_marker(*each) for each in super_chunks]

    def super_chunks(self) -> list[tuple[int, Index]]:
        """Stage and index of every super-chunk."""
        stages = enumerate(self.fingerprints.plan.stages)
        return [(number, index) for number, stage in stages for index in indices(stage.grid)]

    def container(self, lod: int, index: Index) -> str:
        """The container of a block."""
        return self.folder.container(lod, box_name(index), self.fingerprints.block(lod, index))

    def containers(self, blocks: Iterable[tuple[int, Index]]) -> list[str]:
        """The containers of some blocks."""
        return [self.container(*block) for block in blocks]

    def blocks(self) -> list[tuple[int, Index]]:
        """LOD and index of every block."""
        plan = self.fingerprints.plan
        return [(k, index) for k in range(plan.num_lods) for index in indices(plan.blocks(k))]

    def bundles(self) -> list[str]:
        """All bundles; none where shards read containers."""
        plan, name = self.fingerprints.plan, self.fingerprints.bundle
        return [
            self.folder.bundle(lod, number, name(lod, number))
            for lod in range(plan.num_lods)
            for number in range(plan.bundles(lod))
        ]

    @property
    def table(self) -> str:
        """The sorted table of bodies."""
        return self.folder.label_map(self.fingerprints.label_map)

    @property
    def table_marker(self) -> str:
        """The marker of the sorted table of bodies."""
        return self.folder.label_map_marker(self.fingerprints.label_map)

    @cached_property
    def shards(self) -> list[Shard]:
        """All shards, in ascending order."""
        plan, name = self.fingerprints.plan, self.fingerprints.shards
        sharded = plan.settings.sharded
        return [Shard(self.folder, name, shard, sharded) for shard in shard_names(plan)]

    @cached_property
    def measured_blocks(self) -> list[MeasuredBlock]:
        """What is measured of all blocks of LOD 0, z slowest; none where nothing is measured."""
        plan, name = self.fingerprints.plan, self.fingerprints.measured_block
        found = indices(plan.blocks(0)) if of_voxels(plan.settings.measures) else ()
        return [MeasuredBlock(self.folder, name(index), box_name(index)) for index in found]

    @cached_property
    def measured_shards(self) -> list[Measured]:
        """The curvature of the labels of all shards; none where it is not asked for."""
        if CURVATURE not in self.fingerprints.plan.settings.measures:
            return []
        name = self.fingerprints.measured_shards
        return [Measured(self.folder, name, shard.name) for shard in self.shards]

    @property
    def measured(self) -> Measured | None:
        """What is measured of all labels; None where nothing is."""
        if not self.fingerprints.plan.settings.measures:
            return None
        return Measured(self.folder, self.fingerprints.measured)

    @property
    def documents(self) -> Documents:
        """The documents beside the shards."""
        return Documents(self.folder, self.fingerprints.documents)

    @property
    def result_marker(self) -> str:
        """The marker of the whole output, written after the clean-up."""
        return self.folder.result_marker(self.fingerprints.result)
