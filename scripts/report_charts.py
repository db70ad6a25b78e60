"""Rule report_charts: the plots of numbers, and the tables behind them."""

import csv
import json
import math
from pathlib import Path

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.report.charts import costs_figure, detail_figure, errors_figure, sizes_figure
from snakemesh.report.costs import as_rows, from_json
from snakemesh.report.segments import read_segments
from snakemesh.report.style import save

output = snakemake.output


def write_table(path: str, rows: list[dict]) -> None:
    """Write rows as CSV, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "x", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


with job_log(snakemake.log[0], "report_charts") as log:
    facts = json.loads(Path(snakemake.input.facts).read_text(encoding="utf-8"))
    costs = from_json(facts["costs"])
    segments = read_segments(snakemake.params.segments, math.prod(facts["voxel_nm"]))
    save(sizes_figure(segments), output.sizes)
    save(errors_figure(segments), output.errors)
    save(detail_figure(facts["lods"]), output.detail)
    save(costs_figure(costs), output.costs)
    write_table(output.detail_table, [{"lod": k} | n for k, n in enumerate(facts["lods"] or [])])
    write_table(output.costs_table, as_rows(costs))
    log.facts.update(labels=segments.count)
