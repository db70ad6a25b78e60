"""Rule shard: one shard and its summary, from its section of every container."""

from pathlib import Path

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.multires.counts import label_counts, left_out, not_found
from snakemesh.multires.shard import write_shard, write_unsharded
from snakemesh.output.atomic import replacing, sync_filesystem
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged, read_marker
from snakemesh.output.served_products import Shard

params, name = snakemake.params, snakemake.wildcards.shard
folder, job = params.folder, params.job
product = Shard(folder, snakemake.wildcards.fingerprint, name, job.sharded)
blocks_marker = params.blocks_marker
with job_log(snakemake.log[0], f"shard {name}") as log, discard_if_damaged([blocks_marker]):
    blocks = read_marker(blocks_marker)
    if blocks is None:
        raise DamagedError(Path(blocks_marker), "is damaged")
    containers = [f"{folder.blocks}/{container}" for container in blocks["containers"]]
    Path(folder.multires).mkdir(parents=True, exist_ok=True)
    product.discard()
    shard = int(name, 16)
    counts = label_counts(containers, shard)
    arguments = (shard, containers, job.grid, job.sharding, counts, job.min_voxels)
    if job.sharded:
        written = write_shard(folder.shard(name), *arguments)
    else:
        written = write_unsharded(folder.multires, *arguments)
        sync_filesystem(folder.multires)
    with replacing(product.summary) as temporary, open(temporary, "wb") as file:
        np.save(file, written.summary)
    names = written.lods.dtype.names
    lods = [dict(zip(names, sums, strict=True)) for sums in written.lods.tolist()]
    facts = {"left_out": left_out(counts, job.min_voxels), "lods": lods}
    if params.target_ids is not None:
        facts["not_found"] = not_found(counts, params.target_ids.load(), shard, job.sharding)
    product.finish(written.summary["label"].tolist(), facts)
    log.facts.update(labels=len(written.summary), faces=int(written.summary["faces"].sum()))
    log.facts.update({f"left_out_{key}": n for key, n in facts["left_out"].items() if n})
