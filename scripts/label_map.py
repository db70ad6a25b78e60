"""Rule label_map: the table of bodies, sorted by label, in a file that all jobs share."""

from pathlib import Path

from snakemesh.output.job_log import job_log
from snakemesh.output.markers import remove_markers, write_marker
from snakemesh.tables.bodies import batches, content_hash, refused
from snakemesh.tables.sorted_bodies import write_sorted

params, marker = snakemake.params, Path(snakemake.output[0])
with job_log(snakemake.log[0], "label_map") as log:
    marker.parent.mkdir(parents=True, exist_ok=True)
    remove_markers(marker.parent, marker.name)
    facts = write_sorted(params.path, params.table, batches(params.table))
    if content_hash(params.table) != params.content:
        raise refused(
            params.table,
            "has changed while the run was going on; give the same command again",
        )
    write_marker(marker, facts)
    log.facts.update(rows=facts["rows"])
