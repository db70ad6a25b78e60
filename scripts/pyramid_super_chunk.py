"""Rule pyramid_super_chunk: every missing level of a stage in one super-chunk."""

from pathlib import Path

from snakemesh.output.job_log import job_log
from snakemesh.pyramid.super_chunk import build_super_chunk

name = f"pyramid_super_chunk stage {snakemake.wildcards.stage} {snakemake.wildcards.box}"
with job_log(snakemake.log[0], name) as log:
    log.facts.update(build_super_chunk(snakemake.params.job))
    # by the job itself: a cluster may take a job for done that was lost
    Path(snakemake.output[0]).write_text(snakemake.params.made_from)
