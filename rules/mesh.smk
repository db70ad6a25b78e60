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
        mem_mb=enough(MEMORY, "mesh_block", lambda wildcards: mesh_mem_mb(PLAN, int(wildcards.lod))),
        runtime=enough(TIME, "mesh_block", lambda wildcards: mesh_runtime(PLAN, int(wildcards.lod))),
    params:
        job=block,
        level_markers=level_of_block,
    script:
        "../scripts/mesh_block.py"


# Where there are many blocks and many shards, shards read bundles of containers instead: opening
# every container for every shard would keep a file system busy.
if PLAN.bundles(0):

    rule mesh_bundle:
        input:
            lambda wildcards: missing(containers_of_bundle(wildcards)),
        output:
            OUT.bundle("{lod}", "{bundle}", "{made_from}"),
        log:
            OUT.log("mesh_bundle/lod{lod}/{bundle}.{made_from}"),
        benchmark:
            OUT.benchmark("mesh_bundle/lod{lod}/{bundle}.{made_from}")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=enough(MEMORY, "mesh_bundle", lambda wildcards: bundle_mem_mb()),
            runtime=enough(TIME, "mesh_bundle", lambda wildcards: bundle_runtime(PLAN)),
        params:
            containers=bundle,
        script:
            "../scripts/mesh_bundle.py"


# Every shard needs every container. All shards wait for this one marker instead, so that the DAG
# grows with the number of jobs and not with its square.
rule mesh_blocks_done:
    input:
        lambda wildcards: missing(read_by_shards()),
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
        containers=lambda wildcards: read_by_shards(),
        bundled=lambda wildcards: not_read_any_more(),
    script:
        "../scripts/mesh_blocks_done.py"
