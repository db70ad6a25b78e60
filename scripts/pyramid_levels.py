"""Rule pyramid_levels: the group of the levels that are built, with empty arrays."""

from pathlib import Path

from snakemesh.job_log import job_log
from snakemesh.pyramid_group import create_group
from snakemesh.remove import remove_tree

with job_log(snakemake.log[0], "pyramid_levels"):
    # what is not filled yet must not look as if it were
    for stage in Path(snakemake.output.marker).parent.glob("stage*"):
        remove_tree(stage)
    create_group(snakemake.params.group)
