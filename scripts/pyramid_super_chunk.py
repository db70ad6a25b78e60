"""Rule pyramid_super_chunk: one super-chunk of every missing level of a stage."""

from pathlib import Path

from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged, remove_markers, write_marker
from snakemesh.pyramid.super_chunk import build_super_chunk, stored_chunks

wildcards = snakemake.wildcards
marker, job = Path(snakemake.output[0]), snakemake.params.job
name = f"pyramid_super_chunk stage {wildcards.stage} {wildcards.box}"
with job_log(snakemake.log[0], name) as log, discard_if_damaged(snakemake.params.base_markers):
    # chunks are about to be written over
    remove_markers(marker.parent, f"{wildcards.box}.*.done")
    log.facts.update(build_super_chunk(job))
    write_marker(marker, {"stored": stored_chunks(job)})
