# The inputs of the rules in mesh.smk, and the hash of what the meshes are made from.

from snakemesh.plan.resources import mesh_mem_mb, mesh_runtime

# Snakemake notices changes of params only if they are plain values, not objects. This hash stands
# for the objects that the meshes are made from. It is short, because Snakemake stores it for every
# job.
MADE_FROM = digest(repr((jobs.made_from(PLAN), PLAN.block_cells)))


def level_of_block(wildcards):
    """The group's document and the markers of the super-chunks that a block reads.

    Nothing if the level of the block exists in the source.
    """
    lod, index = int(wildcards.lod), box_index(wildcards.box)
    markers = super_chunk_markers(jobs.super_chunks_for_block(PLAN, lod, index))
    return [PYRAMID_DOCUMENT, *markers] if markers else []


def all_blocks(wildcards):
    """The markers of all blocks of all LODs."""
    return [
        OUT.block_marker(lod, box_name(index))
        for lod in range(PLAN.num_lods)
        for index in indices(PLAN.blocks(lod))
    ]
