# Making what is served: the shards, and the documents that make them a layer of the viewer.

from snakemesh.cost.resources import MOST_POINTS
from snakemesh.plan.jobs import shard_job
from snakemesh.products.provenance import served_document


rule shard:
    input:
        RESULT.before_shard,
    output:
        marker=OUT.shard_marker("{shard}", "{fingerprint}"),
        summary=OUT.summary("{shard}", "{fingerprint}"),
        lods=OUT.lod_summary("{shard}", "{fingerprint}"),
        pairs=OUT.pairs("{shard}", "{fingerprint}"),
    log:
        OUT.log("shard/{shard}.{fingerprint}"),
    benchmark:
        OUT.benchmark("shard/{shard}.{fingerprint}")
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("shard"),
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
        **RUN.resources("multires_index"),
    params:
        job=shard_job(PLAN),
        folder=OUT,
        shards=lambda wildcards: RUN.products.shards,
        csv=SETTINGS.segment_properties_csv,
        properties=RESULT.properties,
        measures=SETTINGS.measures,
        measured=lambda wildcards: RUN.products.measured,
        max_properties=SETTINGS.max_properties,
        most_points=MOST_POINTS,
        contacts=bool(SETTINGS.contacts),
        document=lambda wildcards: served_document(RUN.fingerprints),
    script:
        "../scripts/multires_index.py"
