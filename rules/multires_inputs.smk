# What the rules of multires wait for.

from snakemesh.plan.provenance import read_document, served_document
from snakemesh.plan.resources import shard_mem_mb, shard_runtime


def all_shard_markers(wildcards):
    return [OUT.shard_marker(name, MADE_FROM.blocks) for name in jobs.shard_names(PLAN)]


def all_summaries(wildcards):
    return [OUT.summary(name, MADE_FROM.blocks) for name in jobs.shard_names(PLAN)]


def documents_marker(wildcards):
    return OUT.documents_marker(MADE_FROM.documents)


def result_marker(wildcards):
    return OUT.result_marker(MADE_FROM.result)


def shard_job(wildcards):
    """The job of a shard. The run's document has the hash, which takes a second to compute."""
    if not workflow.is_main_process:
        refuse_older_plan(wildcards, read_document(OUT.run_document)["products"]["blocks"])
    return jobs.shard_job(PLAN)
