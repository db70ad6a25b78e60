"""Rule mesh_block: the fragments of one block of one LOD, in one container."""

from dataclasses import asdict
from pathlib import Path

from snakemesh.mesh.block import make_block
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged

wildcards = snakemake.wildcards
with (
    job_log(snakemake.log[0], f"mesh_block lod {wildcards.lod} {wildcards.box}") as log,
    discard_if_damaged(snakemake.params.level_markers),
):
    stats = make_block(snakemake.params.job, Path(snakemake.output[0]))
    log.facts.update({"unchanged": 1} if stats is None else asdict(stats))
