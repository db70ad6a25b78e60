# Measuring, if the key `measures` asks for it: voxels block by block, meshes shard by shard, then
# all labels together.


rule measure_block:
    input:
        EXAMPLE,
        lambda wildcards: RUN.missing(RUN.label_map_marker()),
    output:
        marker=OUT.measured("{box}", "{fingerprint}", "done"),
        table=OUT.measured("{box}", "{fingerprint}", "npy"),
        pieces=OUT.measured("{box}", "{fingerprint}", "pieces.npz"),
    log:
        OUT.log("measure_block/{box}.{fingerprint}"),
    benchmark:
        OUT.benchmark("measure_block/{box}.{fingerprint}")
    group:
        RUN.if_short("measure_block", "measure_block")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("measure_block"),
    params:
        job=MEASURING.block,
        folder=OUT,
        table_markers=RUN.label_map_marker,
    script:
        "../scripts/measure_block.py"


rule measure_shard:
    input:
        lambda wildcards: RUN.missing(RUN.shard(wildcards).products),
    output:
        marker=OUT.measured("{shard}", "{fingerprint}", "done"),
        table=OUT.measured("{shard}", "{fingerprint}", "npy"),
    log:
        OUT.log("measure_shard/{shard}.{fingerprint}"),
    benchmark:
        OUT.benchmark("measure_shard/{shard}.{fingerprint}")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("measure_shard"),
    params:
        job=MEASURING.curvature,
        folder=OUT,
        shard=RUN.shard,
    script:
        "../scripts/measure_shard.py"


rule measure_labels:
    input:
        MEASURING.before_labels,
    output:
        marker=OUT.measured("", "{fingerprint}", "done"),
        table=OUT.measured("", "{fingerprint}", "npy"),
    log:
        OUT.log("measure_labels.{fingerprint}"),
    benchmark:
        OUT.benchmark("measure_labels.{fingerprint}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("measure_labels"),
    params:
        blocks=MEASURING.blocks,
        shards=lambda wildcards: RUN.products.measured_shards,
        product=lambda wildcards: RUN.products.measured,
        side_nm=min(PLAN.source.voxel_size),
    script:
        "../scripts/measure_labels.py"
