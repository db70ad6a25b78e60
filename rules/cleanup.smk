# The last job: what was only there between jobs goes.


rule cleanup:
    input:
        served,
        kept_pyramid,
        summaries=all_summaries,
    output:
        touch(f"{WORK}/cleanup.done"),
    log:
        f"{LOGS}/cleanup.log",
    benchmark:
        f"{BENCHMARKS}/cleanup.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=60,
    params:
        multires=lambda wildcards: MULTIRES,
        sharded=SETTINGS.sharded,
        containers=f"{WORK}/mesh",
        pyramid=GROUP.path if SETTINGS.delete_intermediate_scales else None,
        pyramid_markers=f"{WORK}/pyramid",
    script:
        "../scripts/cleanup.py"
