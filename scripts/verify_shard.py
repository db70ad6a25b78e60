"""Rule verify_shard: everything that can be checked of the labels of one shard."""

from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import read_marker, remove_markers
from snakemesh.output.served import differs, served_labels
from snakemesh.verify.findings import save_findings
from snakemesh.verify.labels import by_reason, reasons
from snakemesh.verify.shard import verify_shard
from snakemesh.verify.voxels import counts_of_shard

params, name = snakemake.params, snakemake.wildcards.shard
folder, job = params.folder, params.job


def not_as_written(labels: list[int]) -> str | None:
    """What shows that the files of the shard are not those that were written."""
    record = (read_marker(params.marker) or {}).get("served", {})
    if job.sharded:
        return differs(folder.shard(name), record)
    files = [path for label in labels for path in folder.label_files(label)]
    try:
        is_known = served_labels(files) == record
    except OSError as error:
        return f"{error.filename} cannot be read"
    return None if is_known else f"files of labels in {folder.multires} are not what was written"


with job_log(snakemake.log[0], f"verify_shard {name}") as log:
    shard = int(name, 16)
    paths = (read_marker(snakemake.input[0]) or {})["counts"]
    counts = counts_of_shard(paths, shard)
    lists = [None if found is None else found.load() for found in job.label_lists]
    why = reasons(counts, lists, job.min_voxels)
    found = verify_shard(Path(folder.multires), shard, job, counts, why == 0)
    if wrong := not_as_written(found.rows["label"].tolist()):
        found.failures.add("files", wrong)
        # so that the next run makes it anew
        remove_markers(folder.summaries, Path(params.marker).name)
    facts = {"labels": len(counts), "left_out": by_reason(why)}
    with replacing(snakemake.output[0]) as temporary:
        save_findings(temporary, found, facts)
    log.facts.update(labels=len(counts), meshes=len(found.rows))
    log.facts.update({f"fails_{kind}": n for kind, n in found.failures.count.items()})
