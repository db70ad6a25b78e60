# Building the missing levels. One pass over its base makes all levels of a stage, a job per
# super-chunk.


rule pyramid:
    input:
        lambda wildcards: target(missing(whole_pyramid()) or run_document_if_there()),
    localrule: True


rule pyramid_levels:
    input:
        EXAMPLE,
    output:
        LEVELS_MARKER,
    log:
        OUT.log("pyramid_levels"),
    benchmark:
        OUT.benchmark("pyramid_levels")
    priority: FIRST
    localrule: True
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


rule pyramid_super_chunk:
    input:
        EXAMPLE,
        lambda wildcards: missing([LEVELS_MARKER, *earlier_stage(wildcards)]),
    output:
        OUT.super_chunk_marker("{stage}", "{box}", "{made_from}"),
    log:
        OUT.log("pyramid_super_chunk/stage{stage}/{box}.{made_from}"),
    benchmark:
        OUT.benchmark("pyramid_super_chunk/stage{stage}/{box}.{made_from}")
    priority: FIRST
    group:
        if_short("pyramid_super_chunk", "pyramid_stage{stage}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "pyramid_super_chunk", lambda wildcards: pyramid_mem_mb(PLAN)),
        runtime=enough(TIME, "pyramid_super_chunk", lambda wildcards: pyramid_runtime(PLAN)),
    params:
        job=super_chunk,
        base_markers=earlier_stage,
    script:
        "../scripts/pyramid_super_chunk.py"
