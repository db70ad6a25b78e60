"""Rule mesh_bundle: the containers of some blocks as one, so that shards open fewer files."""

from pathlib import Path

from snakemesh.fragments.bundle import write_bundle
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged

wildcards = snakemake.wildcards
with (
    job_log(snakemake.log[0], f"mesh_bundle lod {wildcards.lod} {wildcards.bundle}") as log,
    discard_if_damaged([]),
):
    path = Path(snakemake.output[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    table = write_bundle(path, snakemake.params.containers)
    log.facts.update(fragments=table.records, payload_bytes=table.size - table.begin)
