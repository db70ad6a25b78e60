"""Rule report_slice: a slice of the volume with the outlines of the meshes."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from snakemesh.bodies.sorted_table import open_sorted
from snakemesh.job_records import LevelPart
from snakemesh.label_values import LabelValues, one_body
from snakemesh.multires.mesh_folder import open_meshes
from snakemesh.output.job_log import job_log
from snakemesh.report.bodies import meshes_of
from snakemesh.report.plane import LevelPlace, chosen_window, outlines, read_window
from snakemesh.report.segments import read_segments, with_mesh
from snakemesh.report.slice import slice_figure
from snakemesh.report.style import save
from snakemesh.stored_array import StoredArray

# Of the labels in a slice, those of the most pixels are outlined, and so many bytes are read.
MOST_OUTLINED, MAX_BYTES = 1500, 40_000_000
# Planes through the centroids of so many segments are read. The one with the most labels is shown.
CANDIDATES = 5
params = snakemake.params


def n_labels(labels: np.ndarray) -> int:
    """How many labels there are, with the background."""
    return len(np.unique(labels))


def with_tuples(fields: dict) -> dict:
    """The fields of a record as JSON has them, with tuples for lists."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}


def place(level: dict) -> LevelPlace:
    """A level as the facts have it."""
    part = LevelPart(**with_tuples(level["part"]))
    if part.stored is not None:
        part = replace(part, stored=StoredArray(**with_tuples(level["part"]["stored"])))
    part = replace(part, values=LabelValues(**with_tuples(level["part"]["values"])))
    triples = (tuple(level[name]) for name in ("voxel_nm", "corner_nm"))
    return LevelPlace(level["number"], part, *triples, level["bodies"])


def as_bodies(labels: np.ndarray, keep_rest: bool) -> np.ndarray:
    """Labels (y, x) as the bodies of the table."""
    names, at = np.unique(labels.astype(np.uint64), return_inverse=True)
    table = open_sorted(params.table, params.table_marker)
    bodies = table.bodies_of(names, keep_rest)
    bodies[names == 0] = 0
    return bodies[at.reshape(labels.shape)]


with job_log(snakemake.log[0], "report_slice") as log:
    facts = json.loads(Path(snakemake.input.facts).read_text(encoding="utf-8"))
    levels = [place(level) for level in facts["levels"]]
    largest = read_segments(params.segments, math.prod(facts["voxel_nm"])).largest
    middles = largest["centroid"][:CANDIDATES, ::-1] if len(largest) else [levels[0].corner_nm]
    windows = [chosen_window(levels, middle) for middle in middles]
    window, labels = max(
        ((window, read_window(window)) for window in windows), key=lambda pair: n_labels(pair[1])
    )
    if not window.level.bodies:
        labels = as_bodies(labels, facts["settings"]["label_map_rest"] == "keep")
    if window.level.part.values.is_one_body:
        labels = one_body(labels)
    folder = open_meshes(params.meshes)
    names, pixels = np.unique(labels[labels != 0], return_counts=True)
    order = np.argsort(-pixels, kind="stable")[:MOST_OUTLINED]
    outlined = with_mesh(params.segments, np.sort(names[order].astype(np.uint64)))
    rank = {label: i for i, label in enumerate(names[order].tolist())}
    meshes = meshes_of(folder, sorted(outlined.tolist(), key=rank.__getitem__))
    lines = outlines(folder, meshes, window, MAX_BYTES)
    figure, found = slice_figure(labels, lines, window, len(names))
    save(figure, snakemake.output[0], found)
    log.facts.update(labels=len(names), outlined=len(lines))
