# The files of the rule in label_map.smk, and who waits for it.

from snakemesh.tables.sorted_bodies import index_path
from snakemesh.cost.resources import label_map_mem_mb, label_map_runtime


def label_map_marker(reads_labels):
    """What a job that reads labels waits for; nothing if they are meshed as they are."""
    is_needed = PLAN.table is not None and reads_labels
    return [OUT.label_map_marker(MADE_FROM.label_map)] if is_needed else []


def sorted_table(wildcards):
    refuse_older_plan(wildcards, MADE_FROM.label_map)
    return OUT.label_map(wildcards.made_from)


def kept_of_label_map():
    """The sorted table, and the labels that jobs have met: a changed table is compared with them."""
    if PLAN.table is None:
        return []
    table = OUT.label_map(MADE_FROM.label_map)
    files = [table, str(index_path(table)), *label_map_marker(True)]
    return [*files, *label_map.records_of_run(MADE_FROM, OUT)]
