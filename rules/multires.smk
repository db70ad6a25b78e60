# What is served: shards of fragments and manifests, then the documents that make them a layer.


def shard_summary(shard):
    return f"{WORK}/shards/{shard}.npy"


SHARDS = [
    shard_name(shard, PLAN.sharding).removesuffix(".shard")
    for shard in range(PLAN.sharding.num_shards)
]


rule shard:
    input:
        f"{WORK}/fragments.done",
    output:
        summary=f"{WORK}/shards/{{shard}}.npy",
        **({"shard": f"{MULTIRES}/{{shard}}.shard"} if SETTINGS.sharded else {}),
    log:
        f"{LOGS}/shard/{{shard}}.log",
    benchmark:
        f"{BENCHMARKS}/shard/{{shard}}.tsv"
    params:
        made_from=jobs.made_from(PLAN),
        number=lambda wildcards: int(wildcards.shard, 16),
        job=jobs.ShardJob(PLAN.grid, PLAN.sharding, SETTINGS.sharded),
        multires=MULTIRES,
        containers=f"{WORK}/mesh",
    resources:
        mem_mb=shard_mem_mb(PLAN),
        runtime=120,
    script:
        "../scripts/shard.py"


rule multires_index:
    input:
        summaries=expand(shard_summary("{shard}"), shard=SHARDS),
        csv=SETTINGS.segment_properties_csv or [],
    output:
        info=f"{MULTIRES}/info",
        properties=f"{MULTIRES}/segment_properties/info",
        marker=touch(f"{WORK}/multires.done"),
    log:
        f"{LOGS}/multires_index.log",
    benchmark:
        f"{BENCHMARKS}/multires_index.tsv"
    params:
        job=jobs.ShardJob(PLAN.grid, PLAN.sharding, SETTINGS.sharded),
        lod_scale_multiplier=PLAN.lod_scale_multiplier,
    resources:
        mem_mb=2000,
        runtime=30,
    script:
        "../scripts/multires_index.py"
