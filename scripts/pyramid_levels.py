"""Rule pyramid_levels: the group of the levels that are built, with empty arrays."""

from snakemesh.job_log import job_log
from snakemesh.pyramid_group import create_group

with job_log(snakemake.log[0], "pyramid_levels"):
    create_group(snakemake.params.group)
