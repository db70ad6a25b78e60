# The last job of a run. It removes the files that only jobs need.


rule cleanup:
    input:
        served,
        kept_pyramid,
        summaries=all_summaries,
    output:
        touch(OUT.cleanup_marker),
    log:
        OUT.log("cleanup"),
    benchmark:
        OUT.benchmark("cleanup")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=60,
    params:
        folder=OUT,
        sharded=SETTINGS.sharded,
        pyramid=GROUP.path if SETTINGS.delete_intermediate_scales else None,
    script:
        "../scripts/cleanup.py"
