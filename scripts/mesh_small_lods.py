"""Rule mesh_small_lods: the containers of all blocks of the last LODs, which are small."""

from dataclasses import asdict
from pathlib import Path

from snakemesh.mesh.together import mesh_together
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged

params = snakemake.params
with job_log(snakemake.log[0], "mesh_small_lods") as log, discard_if_damaged(params.level_markers):
    blocks = zip(params.jobs, map(Path, params.containers), strict=True)
    log.facts.update(asdict(mesh_together(list(blocks), snakemake.threads)))
