"""Rule cleanup: look at what is served, and remove what was only there between jobs.

Markers are removed before what they vouch for: a run that is killed here leaves no marker of a
thing that is gone.
"""

from pathlib import Path

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.output.atomic import sync
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged, remove_markers, write_marker
from snakemesh.output.remove import remove_files, remove_leftovers, remove_temporary, remove_tree
from snakemesh.output.served_products import Shard

params = snakemake.params
folder = params.folder


def refuse_damaged_shards() -> None:
    """Look at all shards once more: a job of an older run may have written one meanwhile."""
    for shard in params.shards:
        with discard_if_damaged([shard.marker]):
            if shard.what_is_wrong():
                raise DamagedError(Path(folder.shard(shard.name)), "is not what was written")


def served_names(shard: Shard) -> set[str]:
    """The files of `multires/` that belong to a shard."""
    labels = [] if shard.is_sharded else np.load(shard.summary)["label"].tolist()
    return {Path(path).name for path in shard.files(labels)}


with job_log(snakemake.log[0], "cleanup"):
    if params.sharded:
        refuse_damaged_shards()
    remove_markers(folder.work, "result.*.done")
    # what was found of meshes that have been made again is not known of these
    remove_markers(folder.work, "verify.*.done")
    remove_tree(Path(folder.verify))
    Path(folder.verify_table).unlink(missing_ok=True)
    for report in Path(folder.report).glob("[0-9a-f]" * 16):
        remove_tree(report)
    summaries = {path for shard in params.shards for path in shard.products}
    remove_files(Path(folder.summaries), keep=summaries)
    sync(folder.summaries)
    remove_leftovers(Path(folder.multires), set().union(*map(served_names, params.shards)))
    remove_leftovers(Path(folder.segment_properties).parent, ())
    remove_markers(folder.blocks, "blocks.*.done")
    remove_files(Path(folder.label_maps), keep=set(params.label_map))
    remove_files(Path(folder.measured_parts), keep=set(params.measured_blocks))
    for path in Path(folder.work).glob("measured.*"):
        if str(path) not in params.measured:
            path.unlink()
    remove_temporary(Path(folder.work), ("measured", "documents", "result"))
    if params.keep_fragments:
        remove_files(Path(folder.blocks), keep=set(params.containers))
    else:
        remove_tree(Path(folder.blocks))
    if params.pyramid is not None:
        remove_markers(folder.pyramid_markers, "**/*.done")
        remove_tree(Path(params.pyramid))
        remove_tree(Path(folder.pyramid_markers))
    write_marker(snakemake.output[0], {})
