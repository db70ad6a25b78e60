# What the rules of meshing wait for.

from snakemesh.plan.finer import finer_blocks
from snakemesh.cost.resources import bundle_mem_mb, bundle_runtime, mesh_mem_mb, mesh_runtime
from snakemesh.cost.resources import small_lods_mem_mb, small_lods_runtime
from snakemesh.plan.together import blocks_together

# The blocks that one job meshes, as LOD and index.
TOGETHER = blocks_together(PLAN)
# By LOD, what its jobs ask for: the same for each.
MESH_MB = [mesh_mem_mb(PLAN, lod) for lod in range(PLAN.num_lods)]


def level_of_block(wildcards):
    """The markers of the voxels that a block reads: super-chunks, or the bodies of the labels."""
    return level_markers(int(wildcards.lod), box_index(wildcards.box))


def level_markers(lod, index):
    markers = super_chunk_markers(jobs.super_chunks_for_block(PLAN, lod, index))
    return [*markers, *label_map_marker(lod == 0)]


def finer_of_block(wildcards):
    return finer_containers(int(wildcards.lod), box_index(wildcards.box))


def finer_containers(lod, index):
    """The containers of the LOD below that a block is made of; none where it is made of voxels."""
    return [container_of(lod - 1, found) for found in finer_blocks(PLAN, lod, index)]


def block(wildcards):
    lod, index = int(wildcards.lod), box_index(wildcards.box)
    refuse_older_plan(wildcards, MADE_FROM.block(lod, index))
    return block_job(lod, index)


def block_job(lod, index):
    watch = MADE_FROM.watch_of_block(lod, index)
    mapping = label_map.label_map_of_block(MADE_FROM, OUT, lod, index)
    finer = finer_containers(lod, index)
    return jobs.mesh_block_job(PLAN, lod, index, watch, INPUT_STATE.lists, mapping, finer)


def container_of(lod, index):
    return OUT.container(lod, box_name(index), MADE_FROM.block(lod, index))


def levels_together():
    """The markers of what the blocks that one job meshes read, each once."""
    return list(dict.fromkeys(marker for block in TOGETHER for marker in level_markers(*block)))


def finer_together():
    """The containers that these blocks are made of, but for their own."""
    own = {container_of(*block) for block in TOGETHER}
    needed = dict.fromkeys(path for block in TOGETHER for path in finer_containers(*block))
    return [path for path in needed if path not in own]


def all_containers():
    return [
        container_of(lod, index)
        for lod in range(PLAN.num_lods)
        for index in indices(PLAN.blocks(lod))
    ]


def all_bundles():
    return [
        OUT.bundle(lod, number, MADE_FROM.bundle(lod, number))
        for lod in range(PLAN.num_lods)
        for number in range(PLAN.bundles(lod))
    ]


def containers_of_bundle(wildcards):
    lod, number = int(wildcards.lod), int(wildcards.bundle)
    return [container_of(lod, index) for index in jobs.blocks_of_bundle(PLAN, lod, number)]


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
