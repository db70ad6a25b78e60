"""Whether measures and contacts of some small bodies are those of their voxels and meshes."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snakemesh.job_records import VerifyJob
from snakemesh.verify import small_bodies
from snakemesh.verify.contact_table import contacts_of, wrong_contacts
from snakemesh.verify.curvature import mean_curvature, read_label
from snakemesh.verify.failures import Failures
from snakemesh.verify.labels import places, without_listed
from snakemesh.verify.properties import readable
from snakemesh.verify.reader import FormatError
from snakemesh.verify.voxels import as_bodies, labels_in, opened

# How many labels are computed again, and how many voxels they have at most. Thickness takes 0.3 s
# for a ball of that size.
MOST_LABELS = 20
MOST_VOXELS = 20_000
# Voxels of the largest box that is read. Parts of a small body may lie far apart.
_MOST_READ = 1 << 22
# Voxels around the mesh of a body, in which its voxels and their neighbours lie: smoothing shortens
# thin ends.
_MARGIN = 4
# The relative error allowed in numbers that both add up.
_EXACT = 1e-6
# A distance may grow by just the limit, and rounding then decides.
_SLOPES = tuple(small_bodies.SLOPE + more for more in (0, -1e-6, 1e-6))
_COLUMNS = {
    "components": ("components",),
    "thickness": ("thickness", "thickness_95"),
    "curvature": ("curvature",),
}


@dataclass(frozen=True)
class MeasureKeys:
    """The keys of the configuration that say what is measured."""

    measures: Sequence[str]
    contacts: bool | str

    @property
    def columns(self) -> list[str]:
        """The columns of the table of segments that are computed again."""
        return [column for name in self.measures for column in _COLUMNS[name]]


def sample(rows: np.ndarray, job: VerifyJob) -> np.ndarray:
    """At most MOST_LABELS of some rows of labels, spread evenly over all sizes. rows: shard.ROW."""
    begin, end = _boxes(rows, job)
    is_small = (rows["voxels"] <= MOST_VOXELS) & (rows["voxels"] > 0) & (rows["faces"] > 0)
    is_small &= np.prod((end - begin).astype(float), axis=1) <= _MOST_READ
    is_small &= (end > begin).all(axis=1) & rows["checked"]
    small = rows[is_small]
    small = small[np.argsort(small["voxels"], kind="stable")]
    at = np.linspace(0, len(small) - 1, min(len(small), MOST_LABELS))
    chosen: np.ndarray = np.sort(small[np.rint(at).astype(int)], order="label")
    return chosen


def check_measures(
    directory: Path, job: VerifyJob, rows: np.ndarray, keys: MeasureKeys, failures: Failures
) -> int:
    """Compute measures and contacts of a sample of labels again. Returns how many labels it has.

    directory: what is served. rows: shard.ROW, by label.
    """
    if not keys.measures and not keys.contacts:
        return 0
    chosen = sample(rows, job)
    measured: dict[int, dict[str, Any]] = {}
    touching = None
    segments, contacts = directory / "segments.parquet", directory / "contacts.parquet"
    with readable(segments, failures):
        measured = _measured(segments, chosen["label"], keys.columns)
    if keys.contacts:
        with readable(contacts, failures):
            touching = _touching(segments, contacts, chosen["label"], job, failures)
    store, number = opened(job.reads), 0
    lists = [None if found is None else found.load() for found in job.label_lists]
    for row, begin, end in zip(chosen, *_boxes(chosen, job), strict=True):
        label = int(row["label"])
        box = list(map(slice, begin.tolist(), end.tolist()))
        voxels = as_bodies(labels_in(store, job.reads, box), job)
        # a neighbour beyond the box would be missed
        last = end - begin - (end < job.reads.shape)
        inner = tuple(map(slice, (begin > 0).astype(int).tolist(), last.tolist()))
        is_whole = (voxels[inner] == label).sum() == row["voxels"]
        if label not in measured or not is_whole:
            continue  # other checks find what is wrong, or the body is longer than its mesh
        number += 1
        wrong = list(_wrong_measures(directory, job, voxels == label, measured[label], keys))
        if touching is not None:
            expected = small_bodies.contacts(without_listed(voxels, lists), label)
            others = np.array(list(expected), np.uint64)
            is_listed = places(rows["label"], others)[1]
            is_listed |= (others == 0) & (keys.contacts == "background")
            listed = dict(compress(expected.items(), is_listed))
            wrong += wrong_contacts(label, begin, job, listed, touching)
        for case in wrong:
            failures.add("properties", f"label {label}: {case}")
    return number


def _measured(path: Path, labels: np.ndarray, columns: list[str]) -> dict[int, dict[str, Any]]:
    """Columns of the table of segments, by label."""
    ours = pc.field("label").isin(pa.array(labels))
    table = pq.read_table(path, columns=["label", *columns], filters=ours)
    return {row["label"]: row for row in table.to_pylist()}


def _touching(
    segments: Path, contacts: Path, labels: np.ndarray, job: VerifyJob, failures: Failures
) -> np.ndarray:
    """The contacts of some labels, contact_table.ROW. All neighbours are counted on the way."""
    listed = pq.read_table(segments, columns=["label", "neighbours"])
    known = listed["label"].to_numpy()
    found, counts = contacts_of(contacts, known, labels, np.array(job.voxel_nm), failures)
    theirs = listed["neighbours"].to_numpy()
    for i in np.flatnonzero(theirs != counts).tolist():
        said = f"{theirs[i]} neighbours in {segments.name}, {counts[i]} in {contacts.name}"
        failures.add("properties", f"label {known[i]} has {said}")
    return found


def _boxes(rows: np.ndarray, job: VerifyJob) -> tuple[np.ndarray, np.ndarray]:
    """Begin and end of meshes with _MARGIN, in voxels z y x, (n, 3) int64. rows: shard.ROW."""
    corner, voxel = np.array(job.grid.origin_nm), np.array(job.voxel_nm)
    lower = np.floor((rows["lower"] - corner) / voxel)[:, ::-1] - _MARGIN
    upper = np.ceil((rows["upper"] - corner) / voxel)[:, ::-1] + _MARGIN
    inside = [np.clip(ends, 0, job.reads.shape).astype(np.int64) for ends in (lower, upper)]
    return inside[0], inside[1]


def _wrong_measures(
    directory: Path, job: VerifyJob, own: np.ndarray, found: dict[str, Any], keys: MeasureKeys
) -> Iterator[str]:
    """What is wrong with the measures of a body, in words. own: its voxels, a mask."""
    sides = np.array(job.voxel_nm[::-1])
    expected: dict[str, list[float]] = {}
    spare = 0.0
    if "components" in keys.measures:
        expected["components"] = [small_bodies.number_of_components(own)]
    if "thickness" in keys.measures:
        pairs = small_bodies.thickness(own, sides, _SLOPES)
        for i, name in enumerate(_COLUMNS["thickness"]):
            expected[name] = [pair[i] for pair in pairs]
    if "curvature" in keys.measures:
        with suppress(FormatError):  # which is found where all meshes are read
            mean, spare = mean_curvature(read_label(directory, found["label"]), job)
            expected["curvature"] = [mean]
    for name, values in expected.items():
        theirs = np.nan if found[name] is None else found[name]
        limit = spare if name == "curvature" else 0
        if not np.isclose(theirs, values, rtol=_EXACT, atol=limit, equal_nan=True).any():
            yield f"segments.parquet has {name} {theirs:.9g}, expected {values[0]:.9g}"
