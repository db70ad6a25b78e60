"""Rule multires_index: the `info` documents of the meshes and of the segment properties."""

import numpy as np

from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.output.job_log import job_log

with job_log(snakemake.log[0], "multires_index") as log:
    job = snakemake.params.job
    summaries = [np.load(path) for path in snakemake.input.summaries]
    csv = str(snakemake.input.csv) or None
    write_json(snakemake.output.properties, segment_properties(summaries, csv))
    sharding = job.sharding if job.sharded else None
    write_json(
        snakemake.output.info, multires_info(sharding, snakemake.params.lod_scale_multiplier)
    )
    log.facts.update(labels=sum(map(len, summaries)))
