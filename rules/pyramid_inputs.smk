# The inputs and outputs of the rules in pyramid.smk: the group of the built levels, its markers.

from snakemesh.plan.resources import pyramid_mem_mb, pyramid_runtime

GROUP = jobs.pyramid_group(PLAN)
# The group's own document stands for the group. If somebody has removed the group, it is built
# again although the markers are still there.
PYRAMID_DOCUMENT = f"{GROUP.path}/{'.zattrs' if GROUP.format == 'zarr2' else 'zarr.json'}"


def temp_pyramid(path):
    """The path as an output: temporary if the built levels are deleted at the end.

    The markers then go with the levels, so that a later run builds them again.
    """
    return temp(path) if SETTINGS.delete_intermediate_scales else path


def super_chunk(wildcards):
    """The job record of a super-chunk."""
    stage = PLAN.stages[int(wildcards.stage)]
    return jobs.super_chunk_job(PLAN, stage, box_index(wildcards.box))


def super_chunk_markers(super_chunks):
    """The markers of super-chunks, each given as (number of its stage, its index)."""
    return [OUT.super_chunk_marker(stage, box_name(index)) for stage, index in super_chunks]


def whole_pyramid(wildcards=None):
    """The group's document and the markers of all super-chunks; nothing if no level is missing."""
    super_chunks = [
        (number, index) for number, stage in enumerate(PLAN.stages) for index in indices(stage.grid)
    ]
    markers = super_chunk_markers(super_chunks)
    return [PYRAMID_DOCUMENT, OUT.levels_marker, *markers] if markers else []


def kept_pyramid(wildcards=None):
    """The pyramid, if it is kept: then it is a result of the run like the meshes."""
    return [] if SETTINGS.delete_intermediate_scales else whole_pyramid()


def earlier_stage(wildcards):
    """The markers of the super-chunks of an earlier stage that a super-chunk reads."""
    stage = PLAN.stages[int(wildcards.stage)]
    needed = jobs.super_chunks_for_super_chunk(PLAN, stage, box_index(wildcards.box))
    return super_chunk_markers(needed)
