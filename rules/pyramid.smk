# The levels that are missing: one pass over s0 for all levels of a stage, super-chunk by super-chunk.


rule pyramid:
    input:
        whole_pyramid,


rule pyramid_levels:
    input:
        example_volume,
    output:
        document=PYRAMID_DOCUMENT,
        marker=temp_pyramid(touch(f"{WORK}/pyramid/levels.done")),
    log:
        f"{LOGS}/pyramid_levels.log",
    benchmark:
        f"{BENCHMARKS}/pyramid_levels.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        group=GROUP,
        made_from=repr(GROUP),
    script:
        "../scripts/pyramid_levels.py"


rule pyramid_super_chunk:
    input:
        PYRAMID_DOCUMENT,
        f"{WORK}/pyramid/levels.done",
        earlier_stage,
        example_volume,
    output:
        temp_pyramid(
            ensure(
                f"{WORK}/pyramid/stage{{stage}}/{{box}}.done",
                sha256=lambda wildcards: digest(repr(super_chunk(wildcards))),
            )
        ),
    log:
        f"{LOGS}/pyramid_super_chunk/stage{{stage}}/{{box}}.log",
    benchmark:
        f"{BENCHMARKS}/pyramid_super_chunk/stage{{stage}}/{{box}}.tsv"
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
