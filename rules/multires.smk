# What is served: shards of fragments and manifests, then the documents that make them a layer.


rule shard:
    input:
        f"{WORK}/fragments.done",
    output:
        **({"shard": SHARD} if SETTINGS.sharded else {}),
        summary=f"{WORK}/shards/{{shard}}.npy",
    log:
        f"{LOGS}/shard/{{shard}}.log",
    benchmark:
        f"{BENCHMARKS}/shard/{{shard}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: shard_mem_mb(PLAN)),
        runtime=doubled(lambda wildcards: shard_runtime(PLAN)),
    params:
        made_from=(MADE_FROM, SETTINGS.sharded),
        number=lambda wildcards: int(wildcards.shard, 16),
        job=jobs.ShardJob(PLAN.grid, PLAN.sharding, SETTINGS.sharded),
        multires=lambda wildcards: MULTIRES,
        container=lambda wildcards: CONTAINER,
        blocks=[PLAN.blocks(lod) for lod in range(PLAN.num_lods)],
    script:
        "../scripts/shard.py"


rule multires_index:
    input:
        summaries=all_summaries,
        csv=SETTINGS.segment_properties_csv or [],
    output:
        info=INFO,
        properties=PROPERTIES,
    log:
        f"{LOGS}/multires_index.log",
    benchmark:
        f"{BENCHMARKS}/multires_index.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        job=jobs.ShardJob(PLAN.grid, PLAN.sharding, SETTINGS.sharded),
        lod_scale_multiplier=PLAN.lod_scale_multiplier,
    script:
        "../scripts/multires_index.py"
