# What the rules of verification wait for.

from snakemesh.cost.resources import verify_mem_mb, verify_runtime, verify_voxels_mem_mb
from snakemesh.cost.resources import verify_voxels_runtime


def finished(wildcards):
    """What is verified: the output as it is, or as this run leaves it, if it makes anything.

    A finished output is no input: what is damaged in it would be made again, and not be found.
    """
    marker = OUT.result_marker(made_from("result"))
    is_made = workflow.is_main_process and marker in workflow.dag.forcefiles
    return [marker] if is_made or not os.path.exists(marker) else []


def all_counts():
    name = made_from("verified")
    return [OUT.verify_counts(box_name(index), name) for index in indices(PLAN.blocks(0))]


def all_level_findings():
    name = made_from("verified")
    return [OUT.verify_levels(box_name(index), name) for index in indices(PLAN.blocks(0))]


def all_voxel_pieces():
    """The pieces of all boxes, z slowest."""
    name = made_from("verified")
    return [OUT.verify_pieces(box_name(index), name) for index in indices(PLAN.blocks(0))]


def all_findings():
    name = made_from("verified")
    return [OUT.verify_findings(shard, name) for shard in jobs.shard_names(PLAN)]


def verified(wildcards):
    """The marker of a sound output. All is read again, whatever earlier runs have found."""
    name = made_from("verified")
    markers = [OUT.verify_counts_marker(name), OUT.verify_marker(name)]
    return target(markers[1:], [*markers, *all_counts(), *all_findings()])


def verified_if_asked(wildcards):
    """With the key `verify`, a run verifies what it has made, once."""
    if not SETTINGS.verify or not workflow.is_main_process:
        return []
    is_known = IS_DONE and os.path.exists(OUT.verify_marker(MADE_FROM.verified))
    return [] if is_known else verified(wildcards)


def verify_job(wildcards):
    refuse_older_plan(wildcards, made_from("verified"))
    table = None if PLAN.table is None else OUT.label_map(MADE_FROM.label_map)
    return jobs.verify_job(PLAN, INPUT_STATE.lists, table)
