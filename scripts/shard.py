"""Rule shard: one shard and its summary, from its section of every container."""

from pathlib import Path

import numpy as np

from snakemesh.boxes import box_name, indices
from snakemesh.multires.shard import write_shard, write_unsharded
from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log

params = snakemake.params
with job_log(snakemake.log[0], f"shard {snakemake.wildcards.shard}") as log:
    # Name each container and do not list the folder: a killed run of another configuration may have
    # left containers there.
    containers = [
        params.folder.container(lod, box_name(index), params.container_hash)
        for lod, grid in enumerate(params.blocks)
        for index in indices(grid)
    ]
    job = params.job
    if job.sharded:
        summary = write_shard(
            snakemake.output.shard, params.number, containers, job.grid, job.sharding
        )
    else:
        Path(params.folder.multires).mkdir(parents=True, exist_ok=True)
        summary = write_unsharded(
            params.folder.multires, params.number, containers, job.grid, job.sharding
        )
    with replacing(snakemake.output.summary) as temporary, open(temporary, "wb") as file:
        np.save(file, summary)
    log.facts.update(labels=len(summary), faces=int(summary["faces"].sum()))
