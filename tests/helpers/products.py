"""The products of a plan."""

from snakemesh.boxes import indices
from snakemesh.products.fingerprints import Fingerprints


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
