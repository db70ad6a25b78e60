"""Rule report_page: everything on one page."""

import json
from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.report.page import page, picture

given = snakemake.input
with job_log(snakemake.log[0], "report_page"):
    facts = json.loads(Path(given.facts).read_text(encoding="utf-8"))
    captions = {Path(path).stem: Path(path).read_text(encoding="utf-8") for path in given.captions}
    parts = {name: picture(given[name], caption) for name, caption in captions.items()}
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(page(facts, parts), encoding="utf-8")
