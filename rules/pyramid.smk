# Building the missing levels. One pass over its base makes all levels of a stage, a job per
# super-chunk.


rule pyramid:
    input:
        whole_pyramid,


rule pyramid_levels:
    input:
        EXAMPLE,
    output:
        document=PYRAMID_DOCUMENT,
        marker=temp_pyramid(touch(OUT.levels_marker)),
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
        made_from=repr(GROUP),
        folder=OUT,
    script:
        "../scripts/pyramid_levels.py"


rule pyramid_super_chunk:
    input:
        PYRAMID_DOCUMENT,
        OUT.levels_marker,
        earlier_stage,
        EXAMPLE,
    output:
        temp_pyramid(
            ensure(
                OUT.super_chunk_marker("{stage}", "{box}"),
                sha256=lambda wildcards: digest(repr(super_chunk(wildcards))),
            )
        ),
    log:
        OUT.log("pyramid_super_chunk/stage{stage}/{box}"),
    benchmark:
        OUT.benchmark("pyramid_super_chunk/stage{stage}/{box}")
    group:
        if_short("pyramid_super_chunk", "pyramid_stage{stage}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: pyramid_mem_mb(PLAN)),
        runtime=doubled(lambda wildcards: pyramid_runtime(PLAN)),
    params:
        job=super_chunk,
        made_from=lambda wildcards: repr(super_chunk(wildcards)),
    script:
        "../scripts/pyramid_super_chunk.py"
