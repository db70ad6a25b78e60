"""Rule shard: one shard and its summaries and pairs, from its section of every container."""

from pathlib import Path

from snakemesh.errors import DamagedError
from snakemesh.multires.contacts import pairs_that_touch
from snakemesh.multires.counts import counts_and_contacts, left_out, not_found
from snakemesh.multires.shard import write_shard, write_unsharded
from snakemesh.output.atomic import sync_filesystem, write_array
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
    counts, contacts = counts_and_contacts(containers, shard)
    arguments = (shard, containers, job.grid, job.sharding, counts, job.min_voxels)
    if job.sharded:
        written = write_shard(folder.shard(name), *arguments)
    else:
        written = write_unsharded(folder.multires, *arguments)
        sync_filesystem(folder.multires)
    pairs = pairs_that_touch(contacts, job.grid.origin_nm, job.voxel_nm)
    found = {
        product.summary: written.summary,
        product.lod_summary: written.by_lod,
        product.pairs: pairs,
    }
    for path, rows in found.items():
        write_array(path, rows)
    names = written.lods.dtype.names
    lods = [dict(zip(names, sums, strict=True)) for sums in written.lods.tolist()]
    facts = {"left_out": left_out(counts, job.min_voxels), "lods": lods}
    if params.target_ids is not None:
        facts["not_found"] = not_found(counts, params.target_ids.load(), shard, job.sharding)
    product.finish(written.summary["label"].tolist(), facts)
    log.facts.update(labels=len(written.summary), faces=int(written.summary["faces"].sum()))
    log.facts.update({f"left_out_{key}": n for key, n in facts["left_out"].items() if n})
