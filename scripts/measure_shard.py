"""Rule measure_shard: the curvature of the labels of a shard, from their meshes."""

from pathlib import Path

from snakemesh.errors import DamagedError
from snakemesh.measure.curvature import measure_shard
from snakemesh.output.atomic import write_array
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged
from snakemesh.output.measured_products import Measured
from snakemesh.tables.measures import SUMMARY
from snakemesh.tables.summaries import checked_summary

params = snakemake.params
shard = params.shard
product = Measured(params.folder, snakemake.wildcards.fingerprint, shard.name)
with (
    job_log(snakemake.log[0], f"measure_shard {shard.name}") as log,
    discard_if_damaged([shard.marker]),
):
    product.discard()
    summary = checked_summary(shard.summary, shard.record("summary"), SUMMARY)
    labels = summary.read(0, summary.rows)["label"]
    if shard.differs(labels.tolist()):
        raise DamagedError(Path(params.folder.shard(shard.name)), "is not what was written")
    found = measure_shard(params.folder.multires, labels, params.job)
    write_array(product.table, found)
    product.finish()
    log.facts.update(labels=len(labels))
