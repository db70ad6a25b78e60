"""Rule report_facts: what planning knows, kept for the report."""

from snakemesh.output.job_log import job_log
from snakemesh.output.markers import write_marker

with job_log(snakemake.log[0], "report_facts"):
    write_marker(snakemake.output[0], snakemake.params.planned)
