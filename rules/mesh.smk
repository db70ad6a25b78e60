# Meshing. A block is a box of whole cells of an LOD. Each block gets one container of fragments.

from snakemesh.plan.together import MAX_PROCESSES


rule mesh_block:
    input:
        EXAMPLE,
        MESHING.before_block,
    output:
        OUT.container("{lod}", "{box}", "{fingerprint}"),
    log:
        OUT.log("mesh_block/lod{lod}/{box}.{fingerprint}"),
    benchmark:
        OUT.benchmark("mesh_block/lod{lod}/{box}.{fingerprint}")
    priority: MESHING.priority
    group:
        RUN.if_short("mesh_block", "mesh_lod{lod}")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("mesh_block"),
    params:
        job=MESHING.block,
        level_markers=MESHING.voxels_of_block,
    script:
        "../scripts/mesh_block.py"


# The last LODs, where they are small: a job for each block would take longer to start than to work.
# This is one job, so its outputs have no wildcards. Containers that are there are none of its
# outputs: Snakemake would remove them before the job starts.
if MESHING.together:

    ruleorder: mesh_small_lods > mesh_block

    rule mesh_small_lods:
        input:
            EXAMPLE,
            MESHING.before_together,
        output:
            MESHING.containers_together(),
        log:
            OUT.log(f"mesh_small_lods.{RUN.fingerprints.together}"),
        benchmark:
            OUT.benchmark(f"mesh_small_lods.{RUN.fingerprints.together}")
        priority: RUN.work("mesh_small_lods", {}).voxels
        conda:
            ENVIRONMENT
        # on a cluster, a job waits until all of its cores are free at once
        threads: lambda wildcards: MAX_PROCESSES if RUN.is_local else 1
        resources:
            **RUN.resources("mesh_small_lods"),
        params:
            jobs=MESHING.jobs_together,
            containers=MESHING.containers_together(),
            level_markers=MESHING.voxels_together,
        script:
            "../scripts/mesh_small_lods.py"


# Where there are many blocks and many shards, shards read bundles of containers instead: opening
# every container for every shard would keep a file system busy.
if PLAN.bundles(0):

    rule mesh_bundle:
        input:
            MESHING.before_bundle,
        output:
            OUT.bundle("{lod}", "{bundle}", "{fingerprint}"),
        log:
            OUT.log("mesh_bundle/lod{lod}/{bundle}.{fingerprint}"),
        benchmark:
            OUT.benchmark("mesh_bundle/lod{lod}/{bundle}.{fingerprint}")
        conda:
            ENVIRONMENT
        resources:
            **RUN.resources("mesh_bundle"),
        params:
            containers=MESHING.bundle,
        script:
            "../scripts/mesh_bundle.py"


# Every shard needs every container. All shards wait for this one marker instead, so that the DAG
# grows with the number of jobs and not with its square.
rule mesh_blocks_done:
    input:
        lambda wildcards: RUN.missing(MESHING.read_by_shards(wildcards)),
    output:
        OUT.blocks_marker("{fingerprint}"),
    log:
        OUT.log("mesh_blocks_done.{fingerprint}"),
    benchmark:
        OUT.benchmark("mesh_blocks_done.{fingerprint}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        folder=OUT,
        containers=MESHING.read_by_shards,
        bundled=MESHING.not_read_any_more,
    script:
        "../scripts/mesh_blocks_done.py"
