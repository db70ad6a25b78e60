# Making what is served: the shards, and the documents that make them a layer of the viewer.

from snakemesh.plan.jobs import shard_job


rule shard:
    input:
        RESULT.before_shard,
    output:
        marker=OUT.shard_marker("{shard}", "{fingerprint}"),
        summary=OUT.summary("{shard}", "{fingerprint}"),
    log:
        OUT.log("shard/{shard}.{fingerprint}"),
    benchmark:
        OUT.benchmark("shard/{shard}.{fingerprint}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN.mem_mb("shard"),
        runtime=RUN.runtime("shard"),
    params:
        job=RESULT.shard,
        folder=OUT,
        blocks_marker=RESULT.blocks_marker,
        target_ids=RUN.input_state.lists[0],
    script:
        "../scripts/shard.py"


rule multires_index:
    input:
        RESULT.before_documents,
    output:
        OUT.documents_marker("{fingerprint}"),
    log:
        OUT.log("multires_index.{fingerprint}"),
    benchmark:
        OUT.benchmark("multires_index.{fingerprint}")
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN.mem_mb("multires_index"),
        runtime=RUN.runtime("multires_index"),
    params:
        job=shard_job(PLAN),
        folder=OUT,
        shards=RESULT.shards,
        csv=SETTINGS.segment_properties_csv,
        max_properties=SETTINGS.max_properties,
        document=RESULT.document,
    script:
        "../scripts/multires_index.py"
