"""Rule report_files: the pictures, the tables and the first page of the report."""

import csv
import json
import math
from pathlib import Path

import numpy as np

from snakemesh.drawing.bodies import meshes_of, with_most_lods
from snakemesh.label_values import one_body
from snakemesh.meshes.mesh_folder import open_meshes
from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.report.charts import costs_figure, detail_figure, errors_figure, sizes_figure
from snakemesh.report.costs import as_rows, measured_costs
from snakemesh.report.drawings import each_lod, scene, singles
from snakemesh.report.facts import lod_sums
from snakemesh.report.overview import overview
from snakemesh.report.plane import LevelPlace, chosen_window, outlines, read_window, slice_figure
from snakemesh.report.segments import read_segments, with_mesh
from snakemesh.report.style import save
from snakemesh.tables.sorted_bodies import open_sorted

# The most labels of a slice that are outlined, those of the most pixels; the most bytes of meshes
# that are read for it.
MOST_OUTLINED, MAX_BYTES = 1500, 40_000_000
# How many planes are read, through centroids of segments. The one with the most labels is shown.
CANDIDATES = 5
params = snakemake.params
paths = {Path(path).name: path for path in snakemake.output}


def write_table(path, rows):
    """Write rows as CSV, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "x", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def as_bodies(labels):
    """Labels (y, x) as the bodies of the table."""
    names, at = np.unique(labels.astype(np.uint64), return_inverse=True)
    bodies = open_sorted(params.table, params.table_marker).bodies_of(names, params.keep_rest)
    bodies[names == 0] = 0
    return bodies[at.reshape(labels.shape)]


def drawn_slice(segments, folder):
    """The picture of a plane, and what it shows."""
    levels = [LevelPlace(**level) for level in params.levels]
    largest = segments.largest
    middles = largest["centroid"][:CANDIDATES, ::-1] if len(largest) else [levels[0].corner_nm]
    found = [(w, read_window(w)) for w in (chosen_window(levels, middle) for middle in middles)]
    window, labels = max(found, key=lambda pair: len(np.unique(pair[1])))
    if not window.level.bodies:
        labels = as_bodies(labels)
    if window.level.part.values.is_one_body:
        labels = one_body(labels)
    names, pixels = np.unique(labels[labels != 0], return_counts=True)
    order = np.argsort(-pixels, kind="stable")[:MOST_OUTLINED]
    outlined = set(with_mesh(params.folder.segments, np.sort(names[order].astype("u8"))).tolist())
    meshes = meshes_of(folder, [label for label in names[order].tolist() if label in outlined])
    return slice_figure(labels, outlines(folder, meshes, window, MAX_BYTES), window, len(names))


with job_log(snakemake.log[0], "report_files") as log:
    planned = json.loads(Path(snakemake.input.planned).read_text(encoding="utf-8"))
    segments = read_segments(params.folder.segments, math.prod(planned["voxel_nm"]))
    lods = lod_sums(planned["shard_markers"], planned["num_lods"])
    costs = measured_costs(planned["steps"])
    folder = open_meshes(params.folder.multires)
    largest = meshes_of(folder, segments.largest["label"].tolist())
    drawable = meshes_of(folder, segments.drawable["label"].tolist())
    typical = with_most_lods(drawable, segments.drawable["volume"].tolist())
    save(sizes_figure(segments), paths["sizes.png"])
    save(errors_figure(segments), paths["errors.png"])
    save(detail_figure(lods), paths["detail.png"])
    save(costs_figure(costs), paths["costs.png"])
    pictures = {
        "scene.png": scene(folder, largest, segments.count),
        "bodies.png": singles(folder, largest, segments.largest["voxels"].tolist()),
        "lods.png": each_lod(folder, typical),
        "slice.png": drawn_slice(segments, folder),
    }
    for name, (figure, shown) in pictures.items():
        save(figure, paths[name], shown)
    write_table(paths["detail.csv"], [{"lod": k} | sums for k, sums in enumerate(lods or [])])
    write_table(paths["costs.csv"], as_rows(costs))
    with replacing(paths["overview.rst"]) as temporary:
        text = overview(planned, params.folder, lods, costs)
        temporary.write_text(text, encoding="utf-8")
    log.facts.update(labels=segments.count, steps=len(costs))
