"""Rule example: make the embedded example volume."""

from snakemesh.example.volume import write_example
from snakemesh.output.job_log import job_log

with job_log(snakemake.log[0], "example"):
    write_example(snakemake.output[0])
