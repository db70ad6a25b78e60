"""Rule pyramid_levels: the group of the levels that are built, with empty arrays.

It deletes old markers of super-chunks first, so that none says that an empty array is filled.
"""

from pathlib import Path

from snakemesh.output.job_log import job_log
from snakemesh.output.remove import remove_tree
from snakemesh.pyramid.group import create_group

with job_log(snakemake.log[0], "pyramid_levels"):
    for stage in Path(snakemake.params.folder.pyramid_markers).glob("stage*"):
        remove_tree(stage)
    create_group(snakemake.params.group)
