"""Rule mesh_blocks_done: every block is meshed. The marker lists the containers for the shards."""

from pathlib import Path

from snakemesh.output.job_log import job_log
from snakemesh.output.markers import write_marker

blocks = snakemake.params.folder.blocks
with job_log(snakemake.log[0], "mesh_blocks_done"):
    containers = [str(Path(path).relative_to(blocks)) for path in snakemake.params.containers]
    write_marker(snakemake.output[0], {"containers": containers})
