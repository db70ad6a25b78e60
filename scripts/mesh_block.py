"""Rule mesh_block: the fragments of one block of one LOD, in one container."""

from dataclasses import asdict
from pathlib import Path

from snakemesh.mesh.block import mesh_block
from snakemesh.output.job_log import job_log

name = f"mesh_block lod {snakemake.wildcards.lod} {snakemake.wildcards.box}"
with job_log(snakemake.log[0], name) as log:
    log.facts.update(asdict(mesh_block(snakemake.params.job, Path(snakemake.params.container))))
    # The job writes its marker itself: a cluster may report a lost job as done.
    Path(snakemake.output[0]).write_text(snakemake.params.made_from)
