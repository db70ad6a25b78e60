"""Rule multires_index: the `info` documents, and the table of all segments."""

from snakemesh.multires.counts import totals
from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged
from snakemesh.output.served_products import Documents, Shard
from snakemesh.tables.merge import Run
from snakemesh.tables.properties import NO_PROPERTIES, read_properties
from snakemesh.tables.segments import index_segments
from snakemesh.tables.summaries import checked_summary

params = snakemake.params
folder, job = params.folder, params.job
documents = Documents(folder, snakemake.wildcards.fingerprint)


def summary_of(shard: Shard) -> Run:
    """The summary of a shard, which must be what its marker says."""
    with discard_if_damaged([shard.marker]):
        return checked_summary(shard.summary, shard.record("summary"))


with job_log(snakemake.log[0], "multires_index") as log:
    table = NO_PROPERTIES if params.csv is None else read_properties(params.csv)
    summaries = [summary_of(shard) for shard in params.shards]
    documents.discard()
    seen = index_segments(folder.segments, summaries, table, params.max_properties)
    write_json(folder.segment_properties, segment_properties(seen.listed, seen.count, table))
    sharding = job.sharding if job.sharded else None
    write_json(folder.served_document, params.document)
    info = multires_info(sharding, job.grid.scale_nm, job.grid.base_nm)
    write_json(folder.info, info)
    left_out, not_found = totals(shard.facts() for shard in params.shards)
    facts = {
        "labels": seen.count,
        "listed": len(seen.listed),
        "left_out": left_out,
        "not_found": not_found,
    }
    documents.finish(facts)
    log.facts.update(labels=seen.count, listed=len(seen.listed))
    log.facts.update({f"left_out_{key}": n for key, n in left_out.items() if n})
