"""Rule report_meshes: pictures of meshes, drawn on the CPU."""

import json
import math
from pathlib import Path

from snakemesh.multires.mesh_folder import open_meshes
from snakemesh.output.job_log import job_log
from snakemesh.report.bodies import meshes_of, with_most_lods
from snakemesh.report.drawings import each_lod, scene, singles
from snakemesh.report.panels import Panel, mosaic
from snakemesh.report.segments import read_segments
from snakemesh.report.style import nothing_to_show, save

params, output = snakemake.params, snakemake.output


def write(path: str, panels: list[Panel], columns: int) -> None:
    """Write panels as one picture."""
    if panels:
        figure, found = mosaic(panels, columns)
        save(figure, path, found)
    else:
        why = "that is small enough to be drawn" if segments.count else "in this output"
        save(nothing_to_show(f"there is no mesh {why}"), path)


with job_log(snakemake.log[0], "report_meshes") as log:
    facts = json.loads(Path(snakemake.input.facts).read_text(encoding="utf-8"))
    segments = read_segments(params.segments, math.prod(facts["voxel_nm"]))
    folder = open_meshes(params.meshes)
    largest = segments.largest
    meshes = meshes_of(folder, largest["label"].tolist())
    write(output.scene, scene(folder, meshes, segments.count), 1)
    write(output.bodies, singles(folder, meshes, largest["voxels"].tolist()), 3)
    drawable = segments.drawable
    candidates = meshes_of(folder, drawable["label"].tolist())
    chosen = with_most_lods(candidates, drawable["volume"].tolist())
    panels = [] if chosen is None else each_lod(folder, chosen)
    lods = len(panels) // 2
    columns = lods if lods <= 5 else next((n for n in (5, 4, 3) if lods % n == 0), lods)
    write(output.lods, panels, columns)
    log.facts.update(labels=segments.count, drawn=len(meshes))
