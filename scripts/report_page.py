"""Rule report_page: everything on one page."""

import json
import math
from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.report.page import page, picture
from snakemesh.report.segments import read_segments

given = snakemake.input
PICTURES = ("scene", "lods", "bodies", "slice", "sizes", "errors", "detail", "costs")
with job_log(snakemake.log[0], "report_page"):
    facts = json.loads(Path(given.facts).read_text(encoding="utf-8"))
    segments = read_segments(snakemake.params.segments, math.prod(facts["voxel_nm"]))
    captions = {Path(path).stem: Path(path).read_text(encoding="utf-8") for path in given.captions}
    parts = {name: picture(given[name], captions[name]) for name in PICTURES}
    totals = {"count": segments.count, "faces": segments.faces}
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(page(facts, totals, parts), encoding="utf-8")
print(f"report: {snakemake.output[0]}; with --report report.html, Snakemake packs it", flush=True)
