"""Rule cleanup: remove the files that only jobs need, and what earlier runs left."""

from pathlib import Path

import numpy as np

from snakemesh.output.job_log import job_log
from snakemesh.output.remove import remove_leftovers, remove_tree

params = snakemake.params
folder = params.folder


def wanted_names() -> set[str]:
    """The names of the files in `multires/` that this run has made: shards, or files of labels."""
    if params.sharded:
        return {Path(folder.shard(Path(path).stem)).name for path in snakemake.input.summaries}
    labels = (str(label) for path in snakemake.input.summaries for label in np.load(path)["label"])
    return {name for label in labels for name in (label, f"{label}.index")}


with job_log(snakemake.log[0], "cleanup"):
    remove_tree(Path(folder.blocks))
    remove_leftovers(Path(folder.multires), wanted_names())
    for other in (Path(folder.segment_properties).parent, Path(folder.summaries)):
        remove_leftovers(other, ())
    if params.pyramid is not None:
        remove_tree(Path(params.pyramid))
        remove_tree(Path(folder.pyramid_markers))
