"""Rule multires_index: the `info` documents of the meshes and of the segment properties."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.multires.counts import totals
from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import distrusting, read_marker, remove_markers, write_marker
from snakemesh.output.served import served_file, what_is_wrong

params = snakemake.params
folder, job = params.folder, params.job


def read_summary(marker: str, path: str) -> np.ndarray:
    """The summary of a shard, which must be what its marker says."""
    with distrusting([marker]):
        record = read_marker(marker)
        if record is None or what_is_wrong(path, record["summary"]):
            raise DamagedError(Path(path), "is damaged or gone")
        return np.load(path)


with job_log(snakemake.log[0], "multires_index") as log:
    pairs = zip(params.markers, params.summaries, strict=True)
    summaries = [read_summary(marker, path) for marker, path in pairs]
    remove_markers(folder.work, "documents.*.done")
    write_json(folder.segment_properties, segment_properties(summaries, params.csv))
    sharding = job.sharding if job.sharded else None
    write_json(folder.served_document, params.document)
    write_json(folder.info, multires_info(sharding, params.lod_scale_multiplier))
    served = (folder.info, folder.segment_properties, folder.served_document)
    labels = sum(map(len, summaries))
    left_out, not_found = totals(read_marker(marker) or {} for marker in params.markers)
    facts = {
        "files": {path[len(folder.multires) + 1 :]: asdict(served_file(path)) for path in served},
        "labels": labels,
        "left_out": left_out,
        "not_found": not_found,
    }
    write_marker(snakemake.output[0], facts)
    log.facts.update(labels=labels)
    log.facts.update({f"left_out_{key}": n for key, n in left_out.items() if n})
