# Making what is served: the shards, and the documents that make them a layer of the viewer.


rule shard:
    input:
        OUT.blocks_marker,
    output:
        **({"shard": OUT.shard("{shard}")} if SETTINGS.sharded else {}),
        summary=OUT.summary("{shard}"),
    log:
        OUT.log("shard/{shard}"),
    benchmark:
        OUT.benchmark("shard/{shard}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: shard_mem_mb(PLAN)),
        runtime=doubled(lambda wildcards: shard_runtime(PLAN)),
    params:
        made_from=(MADE_FROM, SETTINGS.sharded),
        number=lambda wildcards: int(wildcards.shard, 16),
        job=jobs.shard_job(PLAN),
        folder=OUT,
        container_hash=MADE_FROM,
        blocks=[PLAN.blocks(lod) for lod in range(PLAN.num_lods)],
    script:
        "../scripts/shard.py"


rule multires_index:
    input:
        summaries=all_summaries,
        csv=SETTINGS.segment_properties_csv or [],
    output:
        info=OUT.info,
        properties=OUT.segment_properties,
    log:
        OUT.log("multires_index"),
    benchmark:
        OUT.benchmark("multires_index")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        job=jobs.shard_job(PLAN),
        lod_scale_multiplier=PLAN.lod_scale_multiplier,
    script:
        "../scripts/multires_index.py"
