# The levels that are missing: one pass over s0 for all levels of a stage, super-chunk by super-chunk.


rule pyramid:
    input:
        damage_made_good(damaged_levels),
        whole_pyramid,


rule pyramid_levels:
    input:
        EXAMPLE,
    output:
        document=PYRAMID_DOCUMENT,
        marker=LEVELS_MARKER,
    log:
        OUT.log("pyramid_levels"),
    benchmark:
        OUT.benchmark("pyramid_levels")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        group=GROUP,
        folder=OUT,
    script:
        "../scripts/pyramid_levels.py"


# A group that is made anew is empty, so its marker is no ancient input.
rule pyramid_super_chunk:
    input:
        ancient(PYRAMID_DOCUMENT),
        EXAMPLE,
        levels=LEVELS_MARKER,
        base=earlier_stage,
    output:
        OUT.super_chunk_marker("{stage}", "{box}", "{made_from}"),
    log:
        OUT.log("pyramid_super_chunk/stage{stage}/{box}.{made_from}"),
    benchmark:
        OUT.benchmark("pyramid_super_chunk/stage{stage}/{box}.{made_from}")
    group:
        if_short("pyramid_super_chunk", "pyramid_stage{stage}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: pyramid_mem_mb(PLAN)),
        runtime=doubled(lambda wildcards: pyramid_runtime(PLAN)),
    params:
        job=super_chunk,
    script:
        "../scripts/pyramid_super_chunk.py"
