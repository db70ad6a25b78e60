"""Rule cleanup: remove what was only there between jobs."""

from pathlib import Path

from snakemesh.job_log import job_log
from snakemesh.remove import remove_leftovers, remove_tree

params = snakemake.params
with job_log(snakemake.log[0], "cleanup"):
    remove_tree(Path(params.containers))
    remove_leftovers(Path(params.multires))
    if params.pyramid is not None:
        remove_tree(Path(params.pyramid))
        remove_tree(Path(params.pyramid_markers))
