"""Rule multires_index: documents, the tables of all segments, and what shows them all at once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from snakemesh.errors import DamagedError, UserError
from snakemesh.meshes.mesh_folder import open_meshes
from snakemesh.multires.counts import totals
from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.output.folder import CENTROIDS, OVERVIEW_MESH
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged
from snakemesh.output.remove import remove_views
from snakemesh.output.served_products import Documents, Shard
from snakemesh.overview.annotations import write_annotations
from snakemesh.overview.mesh import write_overview
from snakemesh.overview.points import read_points
from snakemesh.segment_colours import segment_colours
from snakemesh.tables.column_colours import column_colours
from snakemesh.tables.contacts import Neighbours, write_contacts
from snakemesh.tables.lods import write_lods
from snakemesh.tables.measures import SUMMARY, TOUCHING, lods_dtype
from snakemesh.tables.merge import Run
from snakemesh.tables.properties import NO_PROPERTIES, read_properties
from snakemesh.tables.segments import MeasureColumns, index_segments
from snakemesh.tables.summaries import all_rows, checked_summary
from snakemesh.tables.unchanged import refuse_changed

params = snakemake.params
folder, job = params.folder, params.job
documents = Documents(folder, snakemake.wildcards.fingerprint)


def summaries_of(shard: Shard) -> tuple[Run, Run, Run]:
    """The summary, that of LODs, and the pairs of a shard: they must be what its marker says."""
    lods = lods_dtype(job.grid.num_lods)
    with discard_if_damaged([shard.marker]):
        return (
            checked_summary(shard.summary, shard.record("summary"), SUMMARY),
            checked_summary(shard.lod_summary, shard.record("lod_summary"), lods),
            checked_summary(shard.pairs, shard.record("pairs"), TOUCHING),
        )


def neighbours_of(summaries: Sequence[Run], pairs: Sequence[Run]) -> Neighbours:
    """How many segments each touches. Writes the table of contacts."""
    labels, n = np.empty(sum(run.rows for run in summaries), np.uint64), 0
    for rows in all_rows(summaries):
        labels[n : n + len(rows)] = rows["label"]
        n += len(rows)
    return write_contacts(folder.contacts, pairs, labels)


def write_views(count: int) -> tuple[int, int]:
    """Write the centroids and the overview. Returns how many of `count` segments each shows."""
    column = params.document["configuration"]["segment_colors"]
    colours_of = segment_colours if column is None else column_colours(folder.segments, column).of
    points = read_points(folder.segments, table, job.grid.base_nm, colours_of, params.most_points)
    write_annotations(Path(folder.multires, CENTROIDS), points)
    labels = points.labels[points.largest_first]
    path, meshes = Path(folder.multires, OVERVIEW_MESH), open_meshes(folder.multires)
    try:
        shown = write_overview(path, meshes, labels, count, job.grid, colours_of)
    except UserError:
        for shard in params.shards:
            with discard_if_damaged([shard.marker]):
                if shard.differs(np.load(shard.summary)["label"].tolist()):
                    raise DamagedError(Path(folder.shard(shard.name)), "is damaged") from None
        raise
    return len(labels), shown


with job_log(snakemake.log[0], "multires_index") as log:
    table = NO_PROPERTIES
    if params.csv is not None:
        table = read_properties(params.csv)
        refuse_changed("segment_properties_csv", params.csv, params.properties)
    summaries, lod_summaries, pairs = zip(*map(summaries_of, params.shards), strict=True)
    documents.discard()
    write_lods(folder.lods, lod_summaries)
    Path(folder.contacts).unlink(missing_ok=True)
    neighbours = neighbours_of(summaries, pairs) if params.contacts else None
    measured = MeasureColumns()
    if params.measured is not None:
        params.measured.check()
        measured = MeasureColumns(params.measures, np.load(params.measured.table))
    limit = params.max_properties
    seen = index_segments(folder.segments, summaries, table, limit, neighbours, measured)
    write_json(folder.segment_properties, segment_properties(seen.listed, seen.count, table))
    sharding = job.sharding if job.sharded else None
    write_json(folder.served_document, params.document)
    info = multires_info(sharding, job.grid.scale_nm, job.grid.base_nm)
    write_json(folder.info, info)
    remove_views(Path(folder.multires))
    points, in_overview = write_views(seen.count) if seen.count else (0, 0)
    left_out, not_found = totals(shard.facts() for shard in params.shards)
    facts = {
        "labels": seen.count,
        "listed": len(seen.listed),
        "points": points,
        "in_overview": in_overview,
        "left_out": left_out,
        "not_found": not_found,
    }
    documents.finish(facts)
    log.facts.update(labels=seen.count, listed=len(seen.listed), in_overview=in_overview)
    log.facts.update({f"left_out_{key}": n for key, n in left_out.items() if n})
