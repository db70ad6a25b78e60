"""What a block of an LOD that is made of fragments needs of the LOD below. Triples are z, y, x."""

import itertools
import math
from collections.abc import Sequence

from snakemesh.boxes import Index, triple
from snakemesh.job_records import FinerBlocks
from snakemesh.plan.plan import Plan


def finer_job(plan: Plan, lod: int, containers: Sequence[str]) -> FinerBlocks | None:
    """What a job knows of the blocks of `finer_blocks`; None where it reads voxels.

    containers: of these blocks.
    """
    if not plan.is_of_fragments(lod):
        return None
    return FinerBlocks(
        containers=tuple(containers),
        shape=plan.levels[lod - 1].shape,
        cell_voxels=plan.cell_voxels[lod - 1],
        factor=plan.levels[lod].factor,
    )


def counted_voxels(plan: Plan, lod: int) -> int:
    """Voxels of s0 for which a voxel of an LOD's level counts; 0 where nothing needs the counts."""
    is_needed = lod == 0 or (lod + 1 < plan.num_lods and plan.is_of_fragments(lod + 1))
    return math.prod(plan.levels[lod].factor) if is_needed else 0


def finer_blocks(plan: Plan, lod: int, index: Index) -> list[Index]:
    """The blocks of the LOD below from which a block is made; none if it is made from its level."""
    if not plan.is_of_fragments(lod):
        return []
    block, finer = plan.block_cells[lod], plan.block_cells[lod - 1]
    per_axis = zip(index, block, finer, plan.blocks(lod - 1), strict=True)
    ranges = [
        range(2 * i * b // f, min(math.ceil(2 * (i + 1) * b / f), n)) for i, b, f, n in per_axis
    ]
    return [triple(found) for found in itertools.product(*ranges)]
