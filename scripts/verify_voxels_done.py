"""Rule verify_voxels_done: all of s0 is counted. The marker lists the counts for the shards."""

from snakemesh.output.job_log import job_log
from snakemesh.output.markers import write_marker

with job_log(snakemake.log[0], "verify_voxels_done"):
    write_marker(snakemake.output[0], {"counts": list(snakemake.params.counts)})
