"""Rule cleanup: remove what was only there between jobs."""

from pathlib import Path

import numpy as np

from snakemesh.job_log import job_log
from snakemesh.remove import remove_leftovers, remove_tree

params = snakemake.params


def wanted_names() -> set[str]:
    if params.sharded:
        return {f"{Path(path).stem}.shard" for path in snakemake.input.summaries}
    labels = (str(label) for path in snakemake.input.summaries for label in np.load(path)["label"])
    return {name for label in labels for name in (label, f"{label}.index")}


with job_log(snakemake.log[0], "cleanup"):
    remove_tree(Path(params.containers))
    multires, summaries = Path(params.multires), Path(snakemake.input.summaries[0]).parent
    remove_leftovers(multires, wanted_names())
    for folder in (multires / "segment_properties", summaries):
        remove_leftovers(folder, ())
    if params.pyramid is not None:
        remove_tree(Path(params.pyramid))
        remove_tree(Path(params.pyramid_markers))
