"""Rule shard: one finished shard from its section of every container."""

from pathlib import Path

import numpy as np

from snakemesh.atomic import replacing
from snakemesh.job_log import job_log
from snakemesh.jobs import indices
from snakemesh.shards import write_shard, write_unsharded

params = snakemake.params
with job_log(snakemake.log[0], f"shard {snakemake.wildcards.shard}") as log:
    # not what is there: a run that was killed under another configuration leaves its own
    containers = [
        params.container.format(lod=lod, box="_".join(map(str, index)))
        for lod, grid in enumerate(params.blocks)
        for index in indices(grid)
    ]
    job = params.job
    if job.sharded:
        summary = write_shard(
            snakemake.output.shard, params.number, containers, job.grid, job.sharding
        )
    else:
        Path(params.multires).mkdir(parents=True, exist_ok=True)
        summary = write_unsharded(
            params.multires, params.number, containers, job.grid, job.sharding
        )
    with replacing(snakemake.output.summary) as temporary, open(temporary, "wb") as file:
        np.save(file, summary)
    log.facts.update(labels=len(summary), faces=int(summary["faces"].sum()))
