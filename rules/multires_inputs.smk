# What the rules of multires wait for, and what a run serves.

from snakemesh.plan.resources import shard_mem_mb, shard_runtime

SHARD_NAMES = jobs.shard_names(PLAN)


def all_summaries(wildcards):
    return [OUT.summary(name) for name in SHARD_NAMES]


def served(wildcards):
    """What a viewer needs. Files of single labels are not known before they are made."""
    shards = [OUT.shard(name) for name in SHARD_NAMES] if SETTINGS.sharded else []
    return [OUT.info, OUT.segment_properties, *shards]
