"""The products of a plan."""

from dataclasses import replace

import numpy as np

from snakemesh.boxes import indices
from snakemesh.chunk_files import ChunkFiles
from snakemesh.plan.plan import Plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.survey.input_state import InputState


def product_names(fingerprints: Fingerprints) -> dict[tuple, str]:
    """The names of all super-chunks and blocks, by kind, number of the stage or LOD, and index."""
    plan = fingerprints.plan
    super_chunks = {
        ("super-chunk", n, index): fingerprints.super_chunk(n, index)
        for n, stage in enumerate(plan.stages)
        for index in indices(stage.grid)
    }
    blocks = {
        ("block", lod, index): fingerprints.block(lod, index)
        for lod in range(plan.num_lods)
        for index in indices(plan.blocks(lod))
    }
    return super_chunks | blocks


def watched(plan: Plan, rng: np.random.Generator) -> Fingerprints:
    """The products of a plan whose source has files, and stamps for their chunks."""

    def with_files(level):
        if level.is_built:
            return level
        whole = tuple(o + n for o, n in zip(level.origin, level.shape, strict=True))
        return replace(
            level, files=ChunkFiles(level.path, whole, plan.source.chunks, "{i}"), document=""
        )

    plan = replace(plan, levels=tuple(map(with_files, plan.levels)))
    stamps = {}
    for k, level in enumerate(plan.levels):
        if level.files is not None:
            end = tuple(o + n for o, n in zip(level.origin, level.shape, strict=True))
            first, last = level.files.indices_of((level.origin, end))
            stamps[k] = rng.integers(1, 2**63, np.subtract(last, first)).astype(np.uint64)
    return Fingerprints(plan, InputState(plan, stamps))
