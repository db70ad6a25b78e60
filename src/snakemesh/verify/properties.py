"""Whether the tables beside the meshes, for people and for the viewer, say what the meshes are."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.job_records import OctreeGrid
from snakemesh.verify.failures import Failures
from snakemesh.verify.labels import places

# By column of the table, a field of `shard.ROW`, its axis, and how far it may be off.
EXACT = 0.0
# Writers add up fragments, in another order.
ROUNDED = 1e-6
COLUMNS = (
    ("voxels", "voxels", None, EXACT),
    ("faces", "faces", None, EXACT),
    ("lods", "lods", None, EXACT),
    ("volume", "volume", None, ROUNDED),
    ("area", "area", None, ROUNDED),
    *((f"{axis}_min", "lower", i, ROUNDED) for i, axis in enumerate("xyz")),
    *((f"{axis}_max", "upper", i, ROUNDED) for i, axis in enumerate("xyz")),
    *((f"{axis}_centroid", "centroid", i, ROUNDED) for i, axis in enumerate("xyz")),
    ("border_voxels", "border", None, ROUNDED),
    ("sphericity", "sphericity", None, ROUNDED),
    *((f"{name}_axis", "axes", i, ROUNDED) for i, name in enumerate(("major", "middle", "minor"))),
)
# The power of micrometres in which the viewer gets these columns, and which its names end with.
MICROMETRES = {"volume": 3, "area": 2}
# Columns of the table of LODs, whose sums are fields of `shard.LOD_SUMS`.
LOD_COLUMNS = ("fragments", "faces", "bytes")
# Columns of the table of LODs that at LOD 0 are fields of `shard.ROW`.
FINEST_COLUMNS = ["label", "faces", "volume", "area"]
# The relative error allowed in numbers that the viewer gets as float32.
FLOAT32 = 1e-5


def check_segments(path: Path, rows: np.ndarray, grid: OctreeGrid, failures: Failures) -> None:
    """Compare the table of all segments, a group of its rows at a time. rows: ROW, by label."""
    # places are sums of the corner of the volume and of what is rounded, which is below a cell more
    corner, spare = np.array(grid.origin_nm), min(grid.cell_nm)
    with readable(path, failures):
        file = pq.ParquetFile(path)
        labels = [np.empty(0, np.uint64)]
        for i in range(file.num_row_groups):
            group = file.read_row_group(i, ["label", *(name for name, *_ in COLUMNS)])
            columns = {name: group[name].to_numpy() for name in group.column_names}
            labels.append(columns["label"].astype(np.uint64))
            _compare(path.name, columns, rows, ROUNDED, corner, spare, failures)
        listed = np.concatenate(labels)
        if np.any(listed[1:] <= listed[:-1]):
            failures.add("properties", f"{path.name}: its labels do not ascend")
        for label in np.setdiff1d(rows["label"], listed).tolist():
            failures.add("properties", f"label {label} is not in {path.name}")


def check_lods(path: Path, rows: np.ndarray, lods: np.ndarray, failures: Failures) -> None:
    """Compare the table of LODs with what was read: rows of LOD 0, and sums over all rows.

    rows: ROW. lods: `shard.LOD_SUMS`.
    """
    with readable(path, failures):
        finest = pq.read_table(path, columns=FINEST_COLUMNS, filters=[("lod", "=", 0)])
        columns = {name: finest[name].to_numpy() for name in FINEST_COLUMNS}
        _compare(path.name, columns, rows, ROUNDED, np.zeros(3), 0.0, failures)
        table = pq.read_table(path, columns=["lod", *LOD_COLUMNS])
        level = table["lod"].to_numpy()
        sums = {name: np.bincount(level, table[name].to_numpy(), len(lods)) for name in LOD_COLUMNS}
        sums["labels"] = np.bincount(level, minlength=len(lods))
        if not rows["checked"].all():
            return  # the sums lack what could not be read
        for name, found in sums.items():
            if not np.array_equal(found, lods[name]):
                read = f"{name} by LOD {lods[name].tolist()}"
                failures.add("properties", f"{path.name} has {found.tolist()}, expected {read}")


def check_properties(
    path: Path, rows: np.ndarray, max_properties: int | None, failures: Failures
) -> None:
    """Compare what the viewer lists: the largest segments. rows: ROW, by label."""
    with readable(path, failures):
        inline = json.loads(path.read_text(encoding="utf-8"))["inline"]
        columns = {p["id"]: np.array(p["values"]) for p in inline["properties"]}
        columns["label"] = np.array([int(i) for i in inline["ids"]], np.uint64)
        for name, power in MICROMETRES.items():
            columns[name] = columns.pop(f"{name}_um{power}") * 1000.0**power
        sizes = {len(values) for values in columns.values()}
        if len(sizes) > 1:
            failures.add("properties", f"{path} has properties of {sorted(sizes)} segments")
            return
        _compare("segment_properties/info", columns, rows, FLOAT32, np.zeros(3), 0.0, failures)
        wanted = len(rows) if max_properties is None else min(len(rows), max_properties)
        if len(columns["label"]) != wanted:
            listed = f"lists {len(columns['label'])} segments, expected {wanted}"
            failures.add("properties", f"{path} {listed}")


@contextmanager
def readable(path: Path, failures: Failures) -> Iterator[None]:
    """Ends the block with a failure if the file is not what it should be."""
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        failures.add("files", f"{path} cannot be read: {' '.join(str(error).split())}")


def _compare(
    name: str,
    columns: dict[str, Any],
    rows: np.ndarray,
    rounded: float,
    corner: np.ndarray,
    spare: float,
    failures: Failures,
) -> None:
    """Compare the columns that are there, row by row. Only labels that were read have measures.

    rounded: by how much numbers may differ, as a fraction: places as a fraction of their distance
    to `corner` (x y z in nm), and of `spare` nm more.
    """
    labels = columns["label"].astype(np.uint64)
    at, known = places(rows["label"], labels)
    for label in labels[~known].tolist():
        failures.add("properties", f"label {label} is in {name} and has no mesh")
    ours = rows[at[known]]
    labels = labels[known]
    for column, field, axis, tolerance in COLUMNS:
        if column not in columns:
            continue
        theirs = columns[column][known].astype(np.float64)
        values = ours[field] if axis is None else ours[field][:, axis]
        values = values.astype(np.float64)
        scale = np.abs(values)
        if axis is not None:
            # a place near the corner is as exact as the size of the body
            ends = np.abs(ours["lower"] - corner), np.abs(ours["upper"] - corner)
            scale = np.maximum(*ends).max(axis=1) + spare
        limit = 0 if tolerance == EXACT else rounded * scale
        wrong = ~(np.abs(theirs - values) <= limit)
        if field != "voxels":
            wrong &= ours["checked"]
        if field in ("volume", "sphericity"):
            # an open surface has none
            wrong &= np.isfinite(ours["volume_error"])
        for i in np.flatnonzero(wrong).tolist():
            found = f"{column} {theirs[i]:.9g}, its mesh {values[i]:.9g}"
            failures.add("properties", f"label {labels[i]}: {name} has {found}")
