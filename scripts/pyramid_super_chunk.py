"""Rule pyramid_super_chunk: one super-chunk of every missing level of a stage."""

from pathlib import Path

from snakemesh.output.job_log import job_log
from snakemesh.pyramid.super_chunk import build_super_chunk

name = f"pyramid_super_chunk stage {snakemake.wildcards.stage} {snakemake.wildcards.box}"
with job_log(snakemake.log[0], name) as log:
    log.facts.update(build_super_chunk(snakemake.params.job))
    # The job writes its marker itself: a cluster may report a lost job as done.
    Path(snakemake.output[0]).write_text(snakemake.params.made_from)
