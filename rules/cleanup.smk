# The last job: it looks at what is served, and removes what was only there between jobs.


rule cleanup:
    input:
        documents_marker,
        kept_pyramid,
        containers=kept_containers,
        shards=all_shard_markers,
    output:
        OUT.result_marker("{made_from}"),
    log:
        OUT.log("cleanup.{made_from}"),
    benchmark:
        OUT.benchmark("cleanup.{made_from}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=60,
    params:
        folder=OUT,
        sharded=SETTINGS.sharded,
        keep_fragments=SETTINGS.keep_fragments,
        pyramid=GROUP.path if SETTINGS.delete_intermediate_scales else None,
    script:
        "../scripts/cleanup.py"
