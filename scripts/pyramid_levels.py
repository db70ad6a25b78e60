"""Rule pyramid_levels: the group of the levels that are built, with empty arrays.

It deletes old markers of super-chunks first, so that none says that an empty array is filled.
"""

from snakemesh.output.job_log import job_log
from snakemesh.output.markers import remove_markers, write_marker
from snakemesh.pyramid.group import create_group

folder = snakemake.params.folder
with job_log(snakemake.log[0], "pyramid_levels"):
    # levels that are not filled yet must not look as if they were
    remove_markers(folder.pyramid_markers, "**/*.done")
    create_group(snakemake.params.group)
    write_marker(snakemake.output[0], {})
