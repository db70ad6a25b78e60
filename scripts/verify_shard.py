"""Rule verify_shard: everything that can be checked of the labels of one shard."""

from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import read_marker
from snakemesh.verify.findings import save_findings
from snakemesh.verify.labels import by_reason, reasons
from snakemesh.verify.shard import verify_shard
from snakemesh.verify.voxels import counts_of_shard

params, name = snakemake.params, snakemake.wildcards.shard
job, product = params.job, params.product
with job_log(snakemake.log[0], f"verify_shard {name}") as log:
    shard = int(name, 16)
    paths = (read_marker(snakemake.input[0]) or {})["counts"]
    counts = counts_of_shard(paths, shard)
    lists = [None if found is None else found.load() for found in job.label_lists]
    why = reasons(counts, lists, job.min_voxels)
    found = verify_shard(Path(product.folder.multires), shard, job, counts, why == 0)
    if wrong := product.differs(found.rows["label"].tolist()):
        found.failures.add("files", wrong)
        product.discard()
    facts = {"labels": len(counts), "left_out": by_reason(why)}
    with replacing(snakemake.output[0]) as temporary:
        save_findings(temporary, found, facts)
    log.facts.update(labels=len(counts), meshes=len(found.rows))
    log.facts.update({f"fails_{kind}": n for kind, n in found.failures.count.items()})
