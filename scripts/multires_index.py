"""Rule multires_index: the `info` documents, and the table of all segments."""

from dataclasses import asdict

from snakemesh.multires.counts import totals
from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged, read_marker, remove_markers, write_marker
from snakemesh.output.served import served_file
from snakemesh.tables.merge import Run
from snakemesh.tables.properties import NO_PROPERTIES, read_properties
from snakemesh.tables.segments import index_segments
from snakemesh.tables.summaries import checked_summary

params = snakemake.params
folder, job = params.folder, params.job


def summary_of(marker: str, path: str) -> Run:
    """The summary of a shard, which must be what its marker says."""
    with discard_if_damaged([marker]):
        return checked_summary(path, (read_marker(marker) or {}).get("summary", {}))


with job_log(snakemake.log[0], "multires_index") as log:
    table = NO_PROPERTIES if params.csv is None else read_properties(params.csv)
    pairs = zip(params.markers, params.summaries, strict=True)
    summaries = [summary_of(marker, path) for marker, path in pairs]
    remove_markers(folder.work, "documents.*.done")
    seen = index_segments(folder.segments, summaries, table, params.max_properties)
    write_json(folder.segment_properties, segment_properties(seen.listed, seen.count, table))
    sharding = job.sharding if job.sharded else None
    write_json(folder.served_document, params.document)
    info = multires_info(sharding, job.grid.scale_nm, job.grid.base_nm)
    write_json(folder.info, info)
    served = (folder.info, folder.segment_properties, folder.segments, folder.served_document)
    left_out, not_found = totals(read_marker(marker) or {} for marker in params.markers)
    facts = {
        "files": {path[len(folder.multires) + 1 :]: asdict(served_file(path)) for path in served},
        "labels": seen.count,
        "listed": len(seen.listed),
        "left_out": left_out,
        "not_found": not_found,
    }
    write_marker(snakemake.output[0], facts)
    log.facts.update(labels=seen.count, listed=len(seen.listed))
    log.facts.update({f"left_out_{key}": n for key, n in left_out.items() if n})
