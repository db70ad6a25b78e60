# Verification: a reader that shares no code with what wrote the meshes compares them with the voxels.


rule verify:
    input:
        verified,
    localrule: True


rule verify_voxels:
    input:
        EXAMPLE,
        lambda wildcards: missing(label_map_marker(True)),
        finished,
    output:
        counts=OUT.verify_counts("{box}", "{made_from}"),
        levels=OUT.verify_levels("{box}", "{made_from}"),
        pieces=OUT.verify_pieces("{box}", "{made_from}"),
    log:
        OUT.log("verify_voxels/{box}.{made_from}"),
    benchmark:
        OUT.benchmark("verify_voxels/{box}.{made_from}")
    group:
        if_short("verify_voxels", "verify_voxels")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "verify_voxels", lambda wildcards: verify_voxels_mem_mb(PLAN)),
        runtime=enough(TIME, "verify_voxels", lambda wildcards: verify_voxels_runtime(PLAN)),
    params:
        job=verify_job,
        box=lambda wildcards: jobs.own_box(PLAN, 0, box_index(wildcards.box)),
    script:
        "../scripts/verify_voxels.py"


# Every shard needs the counts of every box: all of them wait for this one marker.
rule verify_voxels_done:
    input:
        lambda wildcards: all_counts(),
    output:
        OUT.verify_counts_marker("{made_from}"),
    log:
        OUT.log("verify_voxels_done.{made_from}"),
    benchmark:
        OUT.benchmark("verify_voxels_done.{made_from}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        counts=lambda wildcards: all_counts(),
    script:
        "../scripts/verify_voxels_done.py"


rule verify_shard:
    input:
        OUT.verify_counts_marker("{made_from}"),
    output:
        OUT.verify_findings("{shard}", "{made_from}"),
    log:
        OUT.log("verify_shard/{shard}.{made_from}"),
    benchmark:
        OUT.benchmark("verify_shard/{shard}.{made_from}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "verify_shard", lambda wildcards: verify_mem_mb(PLAN)),
        runtime=enough(TIME, "verify_shard", lambda wildcards: verify_runtime(PLAN)),
    params:
        job=verify_job,
        folder=OUT,
        marker=lambda wildcards: OUT.shard_marker(wildcards.shard, made_from("shards")),
    script:
        "../scripts/verify_shard.py"


rule verify_table:
    input:
        lambda wildcards: all_findings(),
    output:
        OUT.verify_marker("{made_from}"),
    log:
        OUT.log("verify_table.{made_from}"),
    benchmark:
        OUT.benchmark("verify_table.{made_from}")
    # what fails now fails again
    retries: 0
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "verify_table", lambda wildcards: index_mem_mb(PLAN)),
        runtime=enough(TIME, "verify_table", lambda wildcards: index_runtime(PLAN)),
    params:
        folder=OUT,
        findings=lambda wildcards: all_findings(),
        levels=lambda wildcards: all_level_findings(),
        pieces=lambda wildcards: all_voxel_pieces(),
        marker=lambda wildcards: OUT.documents_marker(made_from("documents")),
        grid=PLAN.grid,
        max_properties=SETTINGS.max_properties,
    script:
        "../scripts/verify_table.py"
