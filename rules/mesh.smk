# Meshing. A block is a box of whole cells of an LOD. Each block gets one container of fragments.


rule mesh_block:
    input:
        EXAMPLE,
        lambda wildcards: missing([*level_of_block(wildcards), *finer_containers(wildcards)]),
    output:
        OUT.container("{lod}", "{box}", "{made_from}"),
    log:
        OUT.log("mesh_block/lod{lod}/{box}.{made_from}"),
    benchmark:
        OUT.benchmark("mesh_block/lod{lod}/{box}.{made_from}")
    priority: voxels_of_block
    group:
        if_short("mesh_block", "mesh_lod{lod}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=doubled(lambda wildcards: mesh_mem_mb(PLAN, int(wildcards.lod))),
        runtime=doubled(lambda wildcards: mesh_runtime(PLAN, int(wildcards.lod))),
    params:
        job=block,
        level_markers=level_of_block,
    script:
        "../scripts/mesh_block.py"


# Every shard needs every container. All shards wait for this one marker instead, so that the DAG
# grows with the number of jobs and not with its square.
rule mesh_blocks_done:
    input:
        lambda wildcards: missing(all_containers()),
    output:
        OUT.blocks_marker("{made_from}"),
    log:
        OUT.log("mesh_blocks_done.{made_from}"),
    benchmark:
        OUT.benchmark("mesh_blocks_done.{made_from}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        folder=OUT,
        containers=lambda wildcards: all_containers(),
    script:
        "../scripts/mesh_blocks_done.py"
