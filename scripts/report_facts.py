"""Rule report_facts: what there is to report, collected once for all pages and pictures."""

import json
from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.report.facts import collected

params = snakemake.params
with job_log(snakemake.log[0], "report_facts") as log:
    facts = collected(params.planned, params.folder)
    Path(snakemake.output[0]).parent.mkdir(parents=True, exist_ok=True)
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")
    log.facts.update(steps=len(facts["costs"]))
