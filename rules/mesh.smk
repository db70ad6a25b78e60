# Meshing. A block is a box of whole cells of an LOD. Each block gets one container of fragments.


rule mesh_block:
    input:
        level_of_block,
        EXAMPLE,
    output:
        temp(ensure(OUT.block_marker("{lod}", "{box}"), sha256=digest(MADE_FROM))),
    log:
        OUT.log("mesh_block/lod{lod}/{box}"),
    benchmark:
        OUT.benchmark("mesh_block/lod{lod}/{box}")
    group:
        if_short("mesh_block", "mesh_lod{lod}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: mesh_mem_mb(PLAN, int(wildcards.lod))),
        runtime=doubled(lambda wildcards: mesh_runtime(PLAN, int(wildcards.lod))),
    params:
        job=lambda wildcards: jobs.mesh_block_job(
            PLAN, int(wildcards.lod), box_index(wildcards.box)
        ),
        container=OUT.container("{lod}", "{box}", MADE_FROM),
        made_from=MADE_FROM,
    script:
        "../scripts/mesh_block.py"


# Every shard needs every container. All shards wait for this one marker instead. So the DAG grows
# with the number of jobs and not with its square. The marker is temporary, like the containers.
rule mesh_blocks_done:
    input:
        all_blocks,
    output:
        temp(OUT.blocks_marker),
    log:
        OUT.log("mesh_blocks_done"),
    benchmark:
        OUT.benchmark("mesh_blocks_done")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        made_from=MADE_FROM,
        folder=OUT,
    script:
        "../scripts/mesh_blocks_done.py"
