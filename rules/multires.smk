# Making what is served: the shards, and the documents that make them a layer of the viewer.


rule shard:
    input:
        lambda wildcards: missing([blocks_marker(wildcards)]),
    output:
        marker=OUT.shard_marker("{shard}", "{made_from}"),
        summary=OUT.summary("{shard}", "{made_from}"),
    log:
        OUT.log("shard/{shard}.{made_from}"),
    benchmark:
        OUT.benchmark("shard/{shard}.{made_from}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "shard", lambda wildcards: shard_mem_mb(PLAN)),
        runtime=enough(TIME, "shard", lambda wildcards: shard_runtime(PLAN)),
    params:
        job=shard_job,
        folder=OUT,
        blocks_marker=blocks_marker,
        target_ids=INPUT_STATE.lists[0],
    script:
        "../scripts/shard.py"


rule multires_index:
    input:
        lambda wildcards: missing([*all_shard_markers(), *all_summaries()]),
    output:
        OUT.documents_marker("{made_from}"),
    log:
        OUT.log("multires_index.{made_from}"),
    benchmark:
        OUT.benchmark("multires_index.{made_from}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "multires_index", lambda wildcards: index_mem_mb(PLAN)),
        runtime=enough(TIME, "multires_index", lambda wildcards: index_runtime(PLAN)),
    params:
        job=jobs.shard_job(PLAN),
        folder=OUT,
        markers=lambda wildcards: all_shard_markers(),
        summaries=lambda wildcards: all_summaries(),
        csv=lambda wildcards: SETTINGS.segment_properties_csv,
        max_properties=lambda wildcards: SETTINGS.max_properties,
        document=lambda wildcards: served_document(MADE_FROM),
    script:
        "../scripts/multires_index.py"
