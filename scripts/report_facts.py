"""Rule report_facts: what planning knows, kept for the report."""

import json
from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log

with job_log(snakemake.log[0], "report_facts"):
    Path(snakemake.output[0]).parent.mkdir(parents=True, exist_ok=True)
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps(snakemake.params.planned), encoding="utf-8")
