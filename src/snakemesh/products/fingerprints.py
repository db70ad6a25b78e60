"""What every product of a run is made from, as a short hash in its name.

A product is used only if its name is the one in the plan, whichever clone of the workflow plans. A
change of the configuration, of the input or of the code that decides the results gives other names.
No products of these names exist, so the run makes them. Paths in the output folder are not part of
a hash, because the folder may be moved or copied.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property, partial
from typing import Any, Concatenate, ParamSpec

import numpy as np

from snakemesh import __version__
from snakemesh.boxes import Box, Index, ceil_div, indices, slices, triple
from snakemesh.chunk_files import Watch, digest
from snakemesh.job_records import RESULTS_VERSION
from snakemesh.label_values import LABELS
from snakemesh.measure_job import CURVATURE, of_voxels
from snakemesh.plan.finer import counted_voxels, finer_blocks
from snakemesh.plan.jobs import block_box, blocks_of_bundle, measured_box, own_box, super_chunk_box
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import Plan
from snakemesh.plan.together import blocks_together
from snakemesh.survey.input_state import InputState
from snakemesh.tables.unchanged import table_digest

_P = ParamSpec("_P")
# The keys of the configuration that meshes depend on, besides the levels.
MESHING_KEYS = (
    "n_smoothing_iter",
    "target_reduction",
    "decimation_factor",
    "max_error",
    "contacts",
)

# Keys that do not change the result.
RUNNING_KEYS = (
    "output_directory",
    "delete_intermediate_scales",
    "keep_fragments",
    "check_input",
    "input_changed",
    "verify",
    "max_jobs",
)


def short_hash(parts: object) -> str:
    """16 hexadecimal digits that stand for plain values: numbers, texts, tuples of them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _remembered(name: Callable[Concatenate[Any, _P], str]) -> "cached_property[Callable[_P, str]]":
    """A method that names a product, and remembers the name: all jobs that read it ask for it."""
    # the types of arguments, which `cache` would forget, are those of the method
    return cached_property(lambda self: cache(partial(name, self)))  # type: ignore[arg-type, return-value]


# The tokens (`tables.seen`) of all jobs that read labels, z y x uint64: of the super-chunks of the
# first stage, by "stage", and of the blocks of LOD 0, by "lod".
Tokens = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Fingerprints:
    """The hashes of a plan's products, for an input in a certain state.

    tokens: stand for what becomes of the labels that are read; None if labels are meshed as they
    are.
    """

    plan: Plan
    state: InputState
    tokens: Tokens | None = None

    @cached_property
    def group(self) -> str:
        """The group of the levels that are built, with empty arrays."""
        group = asdict(pyramid_group(self.plan)) | {"path": None}
        stages = [(stage.base, stage.targets, stage.super_chunk) for stage in self.plan.stages]
        return short_hash((RESULTS_VERSION, sorted(group.items()), stages, self._documents))

    @_remembered
    def super_chunk(self, stage: int, index: Index) -> str:
        """One super-chunk of a stage, at all levels that are built."""
        chosen = self.plan.stages[stage]
        box = super_chunk_box(self.plan, chosen, index)
        voxels = self._voxels(chosen.base, box)
        return short_hash((self.group, stage, index, voxels, *self._bodies(chosen.base, box)))

    @_remembered
    def block(self, lod: int, index: Index) -> str:
        """The fragments of one block of an LOD."""
        if self.plan.is_of_fragments(lod):
            finer = [self.block(lod - 1, found) for found in finer_blocks(self.plan, lod, index)]
            return short_hash((self._meshing, lod, index, finer))
        box = block_box(self.plan, lod, index)
        if lod == 0 and self.tokens is not None:
            bodies: tuple[str, ...] = (f"{self.tokens['lod'][index]:x}",)
        else:
            bodies = self._bodies(lod, box)
        counted = counted_voxels(self.plan, lod)
        return short_hash((self._meshing, lod, index, counted, self._voxels(lod, box), *bodies))

    def bundle(self, lod: int, number: int) -> str:
        """The fragments of the blocks of a bundle."""
        blocks = blocks_of_bundle(self.plan, lod, number)
        return short_hash(("bundle", [self.block(lod, index) for index in blocks]))

    @cached_property
    def together(self) -> str:
        """The fragments of all blocks that one job meshes."""
        return short_hash([self.block(*block) for block in blocks_together(self.plan)])

    @cached_property
    def label_map(self) -> str:
        """The table of bodies, sorted. It stands for what becomes of every label."""
        table = self.plan.table
        content = None if table is None else table.content
        return short_hash((RESULTS_VERSION, content, self.plan.settings.label_map_rest))

    def seen(self, kind: str, index: Index) -> str:
        """Which labels a job sees, whatever becomes of them. kind: of `Tokens`."""
        plan = self.plan
        is_block = kind == "lod"
        box = (
            block_box(plan, 0, index) if is_block else super_chunk_box(plan, plan.stages[0], index)
        )
        return short_hash(("seen", box, self._voxels(0, box)))

    @cached_property
    def blocks(self) -> str:
        """All blocks together."""
        every = (
            self.block(lod, index)
            for lod in range(self.plan.num_lods)
            for index in indices(self.plan.blocks(lod))
        )
        bundling = self.plan.blocks_per_bundle
        parts = (list(every), self.plan.settings.sharded)
        return short_hash(parts if bundling == 1 else (*parts, bundling))

    @_remembered
    def measured_block(self, index: Index) -> str:
        """What is measured of the voxels of one block of LOD 0."""
        plan = self.plan
        box = measured_box(plan, index)
        how = (
            RESULTS_VERSION,
            of_voxels(plan.settings.measures),
            plan.source.voxel_size,
            plan.levels[0].shape,
        )
        bodies: tuple[str, ...] = ()
        if self.tokens is not None:
            # the margin can reach farther than what the blocks at its sides have seen beside them
            size = [b * c for b, c in zip(plan.block_cells[0], plan.cell_voxels[0], strict=True)]
            first = triple(b // s for b, s in zip(box[0], size, strict=True))
            last = ceil_div(box[1], triple(size))
            bodies = (digest(self.tokens["lod"][slices(first, last)]),)
        own = own_box(plan, 0, index)
        return short_hash(("measured", how, own, self._voxels(0, box), *bodies))

    @cached_property
    def measured(self) -> str:
        """What is measured of all labels, if anything is."""
        measures = self.plan.settings.measures
        found = indices(self.plan.blocks(0)) if of_voxels(measures) else ()
        shards = [self.measured_shards] if CURVATURE in measures else []
        return short_hash([*map(self.measured_block, found), *shards])

    @cached_property
    def measured_shards(self) -> str:
        """What is measured of the meshes of every shard."""
        return short_hash(("curvature", self.shards))

    @cached_property
    def shards(self) -> str:
        """Every shard. All hold labels of every block, and the position of the volume."""
        return short_hash((self.blocks, self.plan.settings.min_voxels, self.plan.grid))

    @cached_property
    def documents(self) -> str:
        """The documents beside the shards. They name the version that made them."""
        levels = sorted(self._documents.items())
        return short_hash((self.shards, self.properties, self.result_settings, levels, __version__))

    @cached_property
    def properties(self) -> str | None:
        """The content of the user's table of properties; None if there is none."""
        table = self.plan.settings.segment_properties_csv
        return None if table is None else table_digest(table)

    @property
    def result_settings(self) -> dict[str, object]:
        """The configuration, but for what decides only how a run is divided or what it keeps.

        `num_lods` is what the plan has, whether it was given or chosen.
        """
        keys = asdict(self.plan.settings) | {"num_lods": self.plan.num_lods}
        return {key: value for key, value in keys.items() if key not in RUNNING_KEYS}

    @cached_property
    def result(self) -> str:
        """The whole output, when nothing is left in it that does not belong there."""
        settings = self.plan.settings
        kept = (settings.delete_intermediate_scales, settings.keep_fragments)
        return short_hash((self.documents, kept))

    @cached_property
    def verified(self) -> str:
        """What was found when the output was verified."""
        return short_hash((self.documents, "verified"))

    @cached_property
    def chunks(self) -> str:
        """All chunks of the input that are looked at."""
        return short_hash([(k, digest(found)) for k, found in sorted(self.state.stamps.items())])

    def watch(self, level: int, box: Box) -> Watch | None:
        """The chunks to watch while a box of a level is read; none if the level is built."""
        return None if self.plan.levels[level].is_built else self.state.watch(level, box)

    def _voxels(self, level: int, box: Box) -> object:
        """The chunks of the source on which the voxels of a box of a level depend."""
        found = self.plan.levels[level]
        if not found.is_built:
            watch = self.state.watch(level, box)
            return (level, self._documents[level], None if watch is None else watch.digest)
        stage = next(stage for stage in self.plan.stages if level in stage.targets)
        base = self.plan.levels[stage.base]
        factor = found.relative_to(base)
        begin = triple(b * f for b, f in zip(box[0], factor, strict=True))
        ends = zip(box[1], factor, base.shape, strict=True)
        end = triple(min(e * f, n) for e, f, n in ends)
        return (level, self.plan.settings.downsample_method, self._voxels(stage.base, (begin, end)))

    def _bodies(self, level: int, box: Box) -> tuple[str, ...]:
        """What the bodies in a box of a level depend on besides its voxels: super-chunks."""
        if self.tokens is None:
            return ()
        size, factor = self.plan.stages[0].super_chunk, self.plan.levels[level].factor
        begin = triple(b * f // s for b, f, s in zip(box[0], factor, size, strict=True))
        end = ceil_div(triple(e * f for e, f in zip(box[1], factor, strict=True)), size)
        return (digest(self.tokens["stage"][slices(begin, end)]),)

    @cached_property
    def _documents(self) -> dict[int, object]:
        """By level of the source that is read: where it is, and its metadata documents."""
        return {
            k: (
                *(level.path, level.name, level.origin, level.shape, level.document, version),
                # hashes of volumes without such values stay what they were
                *([] if level.values == LABELS else [level.values]),
            )
            for version in [self.plan.settings.input_version]
            for k, level in enumerate(self.plan.levels)
            if not level.is_built
        }

    @cached_property
    def _meshing(self) -> str:
        """The part of the fingerprint that all blocks have in common."""
        plan = self.plan
        levels = [(level.factor, level.shape, level.voxel_size) for level in plan.levels]
        keys = [(key, getattr(plan.settings, key)) for key in MESHING_KEYS]
        division = (plan.cell_voxels, plan.n_cells, plan.block_cells, plan.tile_cells)
        grid = (plan.grid.lod_voxels, plan.sharding, plan.begin, plan.end, plan.source.shape)
        lists = [None if found is None else found.digest for found in self.state.lists]
        return short_hash((RESULTS_VERSION, levels, keys, lists, division, grid))
