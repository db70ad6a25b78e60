# What the rules of meshing wait for, and what meshes are made from.

from snakemesh.plan.resources import mesh_mem_mb, mesh_runtime

# Snakemake sees changes of plain params, not of objects. This hash stands for the objects; it is
# short because the record of every job holds it.
MADE_FROM = digest(repr((jobs.made_from(PLAN), PLAN.block_cells)))


def level_of_block(wildcards):
    """The super-chunks that make what a block reads; nothing where the level is there already."""
    lod, index = int(wildcards.lod), box_index(wildcards.box)
    markers = super_chunk_markers(jobs.super_chunks_for_block(PLAN, lod, index))
    return [PYRAMID_DOCUMENT, *markers] if markers else []


def all_blocks(wildcards):
    return [
        OUT.block_marker(lod, box_name(index))
        for lod in range(PLAN.num_lods)
        for index in indices(PLAN.blocks(lod))
    ]
