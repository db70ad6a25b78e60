# Meshing. A block is a box of whole cells of an LOD. Each block gets one container of fragments.


rule mesh_block:
    input:
        EXAMPLE,
        lambda wildcards: missing([*level_of_block(wildcards), *finer_of_block(wildcards)]),
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
        mem_mb=enough(MEMORY, "mesh_block", lambda wildcards: MESH_MB[int(wildcards.lod)]),
        runtime=enough(TIME, "mesh_block", lambda wildcards: mesh_runtime(PLAN, int(wildcards.lod))),
    params:
        job=block,
        level_markers=level_of_block,
    script:
        "../scripts/mesh_block.py"


# The last LODs, where they are small: a job for each block would take longer to start than to work.
# This is one job, so its outputs have no wildcards. Containers that are there are none of its
# outputs: Snakemake would remove them before the job starts.
if TOGETHER:
    # those that are not there
    LEFT_TOGETHER = [block for block in TOGETHER if not os.path.exists(container_of(*block))]

    ruleorder: mesh_small_lods > mesh_block

    rule mesh_small_lods:
        input:
            EXAMPLE,
            lambda wildcards: missing([*levels_together(), *finer_together()]),
        output:
            [container_of(*block) for block in LEFT_TOGETHER],
        log:
            OUT.log(f"mesh_small_lods.{MADE_FROM.together}"),
        benchmark:
            OUT.benchmark(f"mesh_small_lods.{MADE_FROM.together}")
        priority: job_work(PLAN, "mesh_small_lods", {}).voxels
        conda:
            ENVIRONMENT
        resources:
            mem_mb=enough(MEMORY, "mesh_small_lods", lambda wildcards: small_lods_mem_mb(PLAN)),
            runtime=enough(TIME, "mesh_small_lods", lambda wildcards: small_lods_runtime(PLAN)),
        params:
            jobs=lambda wildcards: [block_job(*block) for block in LEFT_TOGETHER],
            containers=[container_of(*block) for block in LEFT_TOGETHER],
            level_markers=lambda wildcards: levels_together(),
        script:
            "../scripts/mesh_small_lods.py"


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
