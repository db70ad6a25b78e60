"""A point for every segment, with its numbers, as the viewer gets them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from snakemesh.tables.measures import MEASURES, Measure
from snakemesh.tables.properties import COLOUR, SIZE, Column, Properties, rows_of

# The most columns of a user's table: a point has at most 255 bytes.
_MOST_COLUMNS = 40
# The most different texts in a column that the viewer gets as numbers with names.
_MOST_TEXTS = 255
# Labels whose colours are computed at once.
_AT_ONCE = 1 << 20
# Below it, whole numbers are exact as float32.
_EXACT = 1 << 24


@dataclass(frozen=True)
class Points:
    """The points of all segments, in ascending order of labels.

    labels: uint64 (n,). rows: the bytes of each in an annotation: its position, float32 x y z in
    nm, then its properties. properties: their descriptions in the `info` document. largest_first:
    indices, int64 (n,). lower, upper: a box of whole nm around all segments, x y z.
    """

    labels: np.ndarray
    rows: np.ndarray
    properties: list[dict[str, Any]]
    largest_first: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


# Descriptions of the properties of points in `info`, each with the values of all points.
_Listed = list[tuple[dict[str, Any], np.ndarray]]


def read_points(
    path: str | os.PathLike[str],
    table: Properties,
    base_nm: Sequence[float],
    colours_of: Callable[[np.ndarray], np.ndarray],
    most: int,
) -> Points:
    """The points of `segments.parquet`, which must have a row.

    Their properties are the measures that the viewer lists, without bounding boxes, and those
    columns of the user's table that fit: numbers that 32 bits hold, and texts of which there are
    few. base_nm: what positions are relative to, x y z (`OctreeGrid`). colours_of: gives RGB, uint8
    (n, 3), for labels. most: at most this many segments, the largest, have a point.
    """
    file = parquet.ParquetFile(path)
    known = file.schema_arrow.names
    measures = [m for m in MEASURES if m.viewer_type and m.axis is None and m.name in known]
    centroid = [f"{axis}_centroid" for axis in "xyz"]
    names = ["label", "volume", *(m.name for m in measures), *centroid]
    columns = _columns(file, names, most)
    labels = columns["label"]
    listed = [*_measured(columns, measures), *_given(table, labels)]
    parts = np.array_split(labels, 1 + len(labels) // _AT_ONCE)
    colours = np.concatenate([colours_of(part) for part in parts])
    listed += [({"id": COLOUR, "type": "rgb", "description": "Colour"}, colours)]
    listed += [_size(columns["volume"])]
    # readers differ in whether they sort by size what `info` lists
    listed.sort(key=lambda item: -item[1].itemsize)
    positions = [(columns[c] - b).astype("f4") for c, b in zip(centroid, base_nm, strict=True)]
    return Points(
        labels,
        _packed(positions, listed),
        [described for described, _ in listed],
        np.argsort(-columns["volume"], kind="stable"),
        *_box(file, np.array(base_nm)),
    )


def _columns(file: parquet.ParquetFile, names: list[str], most: int) -> dict[str, np.ndarray]:
    """Columns without nulls of the rows of the `most` largest volumes, of equal ones the first.

    One of `names` must be `volume`. A group of rows is read at a time.
    """
    cut, room = _cut(file, most)
    types = {field.name: field.type.to_pandas_dtype() for field in file.schema_arrow}
    count = min(file.metadata.num_rows, most)
    found = {name: np.empty(count, types[name]) for name in names}
    begin = 0
    for i in range(file.num_row_groups):
        group = file.read_row_group(i, names, use_threads=False)
        volumes = group["volume"].to_numpy()
        is_taken = volumes > cut
        at_cut = np.flatnonzero(volumes == cut)[:room]
        is_taken[at_cut] = True
        room -= len(at_cut)
        taken = slice(begin, begin := begin + int(is_taken.sum()))
        for name, values in found.items():
            values[taken] = group[name].to_numpy()[is_taken]
    return found


def _cut(file: parquet.ParquetFile, most: int) -> tuple[float, int]:
    """The smallest of the `most` largest volumes, and how many of these are equal to it."""
    largest = np.empty(0)
    for i in range(file.num_row_groups):
        volumes = file.read_row_group(i, ["volume"], use_threads=False)["volume"].to_numpy()
        largest = np.concatenate([largest, volumes])
        if len(largest) > 2 * most or i == file.num_row_groups - 1:
            kept = min(most, len(largest))
            largest = np.partition(largest, len(largest) - kept)[len(largest) - kept :]
    return float(largest.min()), int((largest == largest.min()).sum())


def _measured(columns: dict[str, np.ndarray], measures: list[Measure]) -> _Listed:
    """The label, if 32 bits hold it, and the measures."""
    listed: _Listed = []
    labels = columns["label"]
    if labels[-1] < 1 << 32:  # the viewer shows the first property of the point below the mouse
        described = {"id": "label", "type": "uint32", "description": "Label of the segment"}
        listed.append((described, labels.astype(np.uint32)))
    for m in measures:
        described = {"id": m.viewer_name, "type": "float32", "description": m.viewer_description}
        values = columns[m.name] / 1000.0**m.micrometres
        listed.append((described, values.astype(np.float32)))
    return listed


def _size(volumes: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """How large a shader draws a point: as the diameter of a ball of the volume of its segment."""
    shares = np.clip(volumes / max(volumes.max(), 1e-9), 0, 1, dtype=np.float32)
    described = {"id": SIZE, "type": "uint8", "description": "Cube root of volume, 255: largest"}
    return described, np.rint(255 * np.cbrt(shares)).astype(np.uint8)


def _box(file: parquet.ParquetFile, base_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a box of whole nm around all segments, x y z, relative to the base."""
    corners = []
    for end, least in (("min", np.min), ("max", np.max)):
        names = [f"{axis}_{end}" for axis in "xyz"]
        of_groups = [
            [least(group[name].to_numpy()) for name in names]
            for group in (
                file.read_row_group(i, names, use_threads=False) for i in range(file.num_row_groups)
            )
        ]
        corners.append(least(of_groups, axis=0) - base_nm)
    return np.floor(corners[0]), np.ceil(corners[1])


def _packed(positions: list[np.ndarray], properties: _Listed) -> np.ndarray:
    """The bytes of annotations: positions, then properties, padded to 4.

    positions: x, y and z of all points. properties: their descriptions and values.
    """
    fields: list[tuple[Any, ...]] = [("position", "<f4", (3,))]
    for described, values in properties:
        fields.append((described["id"], values.dtype.newbyteorder("<"), values.shape[1:]))
    padding = -np.dtype(fields).itemsize % 4
    dtype = np.dtype([*fields, ("padding", "u1", (padding,))])
    rows = np.zeros(len(positions[0]), dtype)
    for axis, values in enumerate(positions):
        rows["position"][:, axis] = values
    for described, values in properties:
        rows[described["id"]] = values
    return rows


def _given(table: Properties, labels: np.ndarray) -> _Listed:
    """The columns of a user's table that the viewer can get, as description and values."""
    rows = rows_of(table.labels, labels)
    found = []
    for column in table.columns[:_MOST_COLUMNS]:
        fitting = (
            _texts(column) if pa.types.is_large_string(column.values.type) else _number(column)
        )
        if fitting is not None:
            described, values, absent = fitting
            taken = pc.fill_null(values.take(rows), absent)
            common = {"id": column.name[0].lower() + column.name[1:], "description": column.header}
            found.append((common | described, np.asarray(taken)))
    return found


def _texts(column: Column) -> tuple[dict[str, Any], pa.Array, pa.Scalar] | None:
    """Numbers with names instead of texts, and the number of no text; None if there are many."""
    texts = pc.fill_null(column.values, "").dictionary_encode()
    names = texts.dictionary.to_pylist()
    names += [] if "" in names else [""]
    if len(names) > _MOST_TEXTS:
        return None
    described = {"type": "uint8", "enum_values": list(range(len(names))), "enum_labels": names}
    return described, texts.indices.cast(pa.uint8()), pa.scalar(names.index(""), pa.uint8())


def _number(column: Column) -> tuple[dict[str, Any], pa.Array, pa.Scalar] | None:
    """Numbers of 32 bits, NaN for no number; None if 32 bits do not hold the numbers."""
    values = column.values
    is_whole = pa.types.is_integer(values.type)
    largest = pc.max(pc.abs(values)).as_py() or 0
    if largest > (_EXACT if is_whole else float(np.finfo(np.float32).max)):
        return None
    absent = pa.scalar(float("nan"), pa.float32())
    return {"type": "float32"}, values.cast(pa.float32(), safe=False), absent
