# The inputs and outputs of the rules in pyramid.smk: the group of the built levels, its markers.

from snakemesh.plan.levels_group import pyramid_group
from snakemesh.cost.resources import pyramid_mem_mb, pyramid_runtime

GROUP = pyramid_group(PLAN)
LEVELS_MARKER = OUT.levels_marker(MADE_FROM.group)


def super_chunk(wildcards):
    number, index = int(wildcards.stage), box_index(wildcards.box)
    refuse_older_plan(wildcards, MADE_FROM.super_chunk(number, index))
    stage = PLAN.stages[number]
    box = jobs.super_chunk_box(PLAN, stage, index)
    mapping = label_map.label_map_of_super_chunk(MADE_FROM, OUT, number, index)
    return jobs.super_chunk_job(PLAN, stage, index, MADE_FROM.watch(stage.base, box), mapping)


def super_chunk_markers(super_chunks):
    """The markers of (stage, index)s."""
    return [
        OUT.super_chunk_marker(stage, box_name(index), MADE_FROM.super_chunk(stage, index))
        for stage, index in super_chunks
    ]


def whole_pyramid():
    """The markers of the group and all its super-chunks; nothing where no level is missing."""
    super_chunks = [
        (number, index) for number, stage in enumerate(PLAN.stages) for index in indices(stage.grid)
    ]
    markers = super_chunk_markers(super_chunks)
    return [LEVELS_MARKER, *markers] if markers else []


def run_document_if_there():
    """For a target that has nothing to make, what an earlier run has left."""
    return [OUT.run_document] if os.path.exists(OUT.run_document) else []


def kept_pyramid():
    """A pyramid that is kept is a result like the meshes."""
    return [] if SETTINGS.delete_intermediate_scales else whole_pyramid()


def earlier_stage(wildcards):
    """The markers of what a super-chunk reads: super-chunks of an earlier stage, or the bodies."""
    stage = PLAN.stages[int(wildcards.stage)]
    needed = jobs.super_chunks_for_super_chunk(PLAN, stage, box_index(wildcards.box))
    return [*super_chunk_markers(needed), *label_map_marker(stage.base == 0)]
