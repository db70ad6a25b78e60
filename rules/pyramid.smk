# Building the missing levels. One pass over its base makes all levels of a stage, a job per
# super-chunk.


rule pyramid:
    input:
        PYRAMID.target,
    localrule: True


rule pyramid_levels:
    input:
        EXAMPLE,
    output:
        RUN.products.levels_marker,
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
        group=PYRAMID.group,
        folder=OUT,
    script:
        "../scripts/pyramid_levels.py"


rule pyramid_super_chunk:
    input:
        EXAMPLE,
        PYRAMID.before_super_chunk,
    output:
        OUT.super_chunk_marker("{stage}", "{box}", "{fingerprint}"),
    log:
        OUT.log("pyramid_super_chunk/stage{stage}/{box}.{fingerprint}"),
    benchmark:
        OUT.benchmark("pyramid_super_chunk/stage{stage}/{box}.{fingerprint}")
    priority: FIRST
    group:
        RUN.if_short("pyramid_super_chunk", "pyramid_stage{stage}")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("pyramid_super_chunk"),
    params:
        job=PYRAMID.super_chunk,
        base_markers=PYRAMID.read_by_super_chunk,
    script:
        "../scripts/pyramid_super_chunk.py"
