# The levels that are missing: one pass over s0 for all levels of a stage, super-chunk by super-chunk.


def super_chunk_marker(stage, index):
    return f"{WORK}/pyramid/stage{stage}/{box_name(index)}.done"


def all_super_chunks(wildcards=None):
    return [
        super_chunk_marker(number, index)
        for number, stage in enumerate(PLAN.stages)
        for index in jobs.indices(stage.grid)
    ]


def kept_pyramid():
    """A pyramid that is to be kept is a result like the meshes."""
    return [] if SETTINGS.delete_intermediate_scales else all_super_chunks()


def earlier_stage(wildcards):
    stage = PLAN.stages[int(wildcards.stage)]
    needed = jobs.super_chunks_for_super_chunk(PLAN, stage, box_index(wildcards))
    return [super_chunk_marker(*chunk) for chunk in needed]


rule pyramid:
    input:
        all_super_chunks,


rule pyramid_levels:
    input:
        example_volume,
    output:
        temp_pyramid(touch(f"{WORK}/pyramid/levels.done")),
    log:
        f"{LOGS}/pyramid_levels.log",
    benchmark:
        f"{BENCHMARKS}/pyramid_levels.tsv"
    params:
        group=jobs.pyramid_group(PLAN),
    resources:
        mem_mb=500,
        runtime=10,
    script:
        "../scripts/pyramid_levels.py"


rule pyramid_super_chunk:
    input:
        f"{WORK}/pyramid/levels.done",
        earlier_stage,
        example_volume,
    output:
        temp_pyramid(touch(f"{WORK}/pyramid/stage{{stage}}/{{box}}.done")),
    log:
        f"{LOGS}/pyramid_super_chunk/stage{{stage}}/{{box}}.log",
    benchmark:
        f"{BENCHMARKS}/pyramid_super_chunk/stage{{stage}}/{{box}}.tsv"
    params:
        job=lambda wildcards: jobs.super_chunk_job(
            PLAN, PLAN.stages[int(wildcards.stage)], box_index(wildcards)
        ),
    resources:
        mem_mb=pyramid_mem_mb(PLAN),
        runtime=60,
    script:
        "../scripts/pyramid_super_chunk.py"
