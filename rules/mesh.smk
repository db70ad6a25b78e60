# Meshing: blocks of whole cells, each LOD from its own level; one fragment container per block.


rule mesh_block:
    input:
        level_of_block,
        example_volume,
    output:
        temp(ensure(f"{WORK}/mesh/lod{{lod}}/{{box}}.done", sha256=digest(MADE_FROM))),
    log:
        f"{LOGS}/mesh_block/lod{{lod}}/{{box}}.log",
    benchmark:
        f"{BENCHMARKS}/mesh_block/lod{{lod}}/{{box}}.tsv"
    group:
        if_short("mesh_block", "mesh_lod{lod}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: mesh_mem_mb(PLAN, int(wildcards.lod))),
        runtime=doubled(lambda wildcards: mesh_runtime(PLAN, int(wildcards.lod))),
    params:
        job=lambda wildcards: jobs.mesh_block_job(PLAN, int(wildcards.lod), box_index(wildcards)),
        container=CONTAINER,
        made_from=MADE_FROM,
    script:
        "../scripts/mesh_block.py"


# Every shard needs every container. Waiting for one marker instead keeps the DAG linear in the number
# of jobs; it is temporary, like the containers it stands for. What older ones became is not taken for
# new where a cluster reports a shard that was lost as done.
rule fragments:
    input:
        all_blocks,
    output:
        temp(f"{WORK}/fragments.done"),
    log:
        f"{LOGS}/fragments.log",
    benchmark:
        f"{BENCHMARKS}/fragments.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        made_from=MADE_FROM,
        summaries=f"{WORK}/shards",
    script:
        "../scripts/fragments.py"
