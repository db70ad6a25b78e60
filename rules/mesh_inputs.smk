# What the rules of meshing wait for.

from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.resources import bundle_mem_mb, bundle_runtime, mesh_mem_mb, mesh_runtime


def level_of_block(wildcards):
    """The markers of the voxels that a block reads: super-chunks, or the bodies of the labels."""
    lod, index = int(wildcards.lod), box_index(wildcards.box)
    markers = super_chunk_markers(jobs.super_chunks_for_block(PLAN, lod, index))
    return [*markers, *label_map_marker(lod == 0)]


def finer_containers(wildcards):
    """The containers of the LOD below that a block is made of; none where it is made of voxels."""
    lod, index = int(wildcards.lod), box_index(wildcards.box)
    return containers(lod - 1, finer_blocks(PLAN, lod, index))


def containers(lod, blocks):
    """The containers of blocks of an LOD, given by their indices."""
    return [OUT.container(lod, box_name(index), MADE_FROM.block(lod, index)) for index in blocks]


def block(wildcards):
    lod, index = int(wildcards.lod), box_index(wildcards.box)
    refuse_older_plan(wildcards, MADE_FROM.block(lod, index))
    watch = MADE_FROM.watch_of_block(lod, index)
    mapping = label_map.label_map_of_block(MADE_FROM, OUT, lod, index)
    finer = finer_containers(wildcards)
    return jobs.mesh_block_job(PLAN, lod, index, watch, INPUT_STATE.lists, mapping, finer)


def all_containers():
    return [
        path for lod in range(PLAN.num_lods) for path in containers(lod, indices(PLAN.blocks(lod)))
    ]


def all_bundles():
    return [
        OUT.bundle(lod, number, MADE_FROM.bundle(lod, number))
        for lod in range(PLAN.num_lods)
        for number in range(PLAN.bundles(lod))
    ]


def containers_of_bundle(wildcards):
    lod, number = int(wildcards.lod), int(wildcards.bundle)
    return [
        OUT.container(lod, box_name(index), MADE_FROM.block(lod, index))
        for index in jobs.blocks_of_bundle(PLAN, lod, number)
    ]


def bundle(wildcards):
    lod, number = int(wildcards.lod), int(wildcards.bundle)
    refuse_older_plan(wildcards, MADE_FROM.bundle(lod, number))
    return containers_of_bundle(wildcards)


def read_by_shards():
    """The bundles, or the containers of all blocks where there are no bundles."""
    return all_bundles() or all_containers()


def not_read_any_more():
    """Containers that are bundled: they would fill the disk, and are only kept if they are asked for."""
    return [] if SETTINGS.keep_fragments or not all_bundles() else all_containers()


def kept_containers():
    """Containers that are kept are a result like the meshes."""
    return all_containers() if SETTINGS.keep_fragments else []
