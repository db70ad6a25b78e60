# The inputs of the rules in multires.smk, and the files that are served.

from snakemesh.plan.resources import shard_mem_mb, shard_runtime

SHARD_NAMES = jobs.shard_names(PLAN)


def all_summaries(wildcards):
    """The summaries of all shards."""
    return [OUT.summary(name) for name in SHARD_NAMES]


def served(wildcards):
    """The files that the viewer needs.

    With `sharded: false` the files of the labels are missing here, as they are known only later.
    """
    shards = [OUT.shard(name) for name in SHARD_NAMES] if SETTINGS.sharded else []
    return [OUT.info, OUT.segment_properties, *shards]
