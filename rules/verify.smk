# Verification: a reader that shares no code with what wrote the meshes compares them with the voxels.


rule verify:
    input:
        VERIFICATION.target,
    localrule: True


rule verify_voxels:
    input:
        EXAMPLE,
        lambda wildcards: RUN.missing(RUN.label_map_marker()),
        VERIFICATION.finished,
    output:
        counts=OUT.verify_counts("{box}", "{fingerprint}"),
        levels=OUT.verify_levels("{box}", "{fingerprint}"),
        pieces=OUT.verify_pieces("{box}", "{fingerprint}"),
    log:
        OUT.log("verify_voxels/{box}.{fingerprint}"),
    benchmark:
        OUT.benchmark("verify_voxels/{box}.{fingerprint}")
    group:
        RUN.if_short("verify_voxels", "verify_voxels")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("verify_voxels"),
    params:
        job=VERIFICATION.job,
        box=VERIFICATION.box,
    script:
        "../scripts/verify_voxels.py"


# Every shard needs the counts of every box: all of them wait for this one marker.
rule verify_voxels_done:
    input:
        VERIFICATION.counts,
    output:
        OUT.verify_counts_marker("{fingerprint}"),
    log:
        OUT.log("verify_voxels_done.{fingerprint}"),
    benchmark:
        OUT.benchmark("verify_voxels_done.{fingerprint}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=10,
    params:
        counts=VERIFICATION.counts,
    script:
        "../scripts/verify_voxels_done.py"


rule verify_shard:
    input:
        OUT.verify_counts_marker("{fingerprint}"),
    output:
        OUT.verify_findings("{shard}", "{fingerprint}"),
    log:
        OUT.log("verify_shard/{shard}.{fingerprint}"),
    benchmark:
        OUT.benchmark("verify_shard/{shard}.{fingerprint}")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("verify_shard"),
    params:
        job=VERIFICATION.job,
        product=RUN.shard,
    script:
        "../scripts/verify_shard.py"


rule verify_table:
    input:
        VERIFICATION.findings,
    output:
        OUT.verify_marker("{fingerprint}"),
    log:
        OUT.log("verify_table.{fingerprint}"),
    benchmark:
        OUT.benchmark("verify_table.{fingerprint}")
    # what fails now fails again
    retries: 0
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("verify_table"),
    params:
        folder=OUT,
        findings=VERIFICATION.findings,
        levels=lambda wildcards: VERIFICATION.of_boxes(OUT.verify_levels),
        pieces=lambda wildcards: VERIFICATION.of_boxes(OUT.verify_pieces),
        documents=VERIFICATION.documents,
        job=VERIFICATION.job,
        grid=PLAN.grid,
        max_properties=SETTINGS.max_properties,
        measures=SETTINGS.measures,
        contacts=SETTINGS.contacts,
    script:
        "../scripts/verify_table.py"
