"""Read the user's table of properties, the file `segment_properties_csv`: one row per label."""

import os
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snakemesh.ascending import find
from snakemesh.tables import (
    Table,
    bad_heading,
    bad_row,
    id_column,
    labels_of,
    place,
    query_name,
    read_table,
    texts_of,
)

KEY = "segment_properties_csv"
# What a run itself knows of every label (see multires/measures.py).
MEASURE_NAMES = (
    "volume",
    "voxels",
    "area",
    "faces",
    "lods",
    *("x_min", "y_min", "z_min"),
    *("x_max", "y_max", "z_max"),
    *("x_centroid", "y_centroid", "z_centroid"),
)
# What a verification knows of them (see verify/segments.py).
VERDICT_NAMES = ("watertight", "volume_error")
# Lower-case names that no other column may have: those of the measures, those of the other columns
# of `segments.parquet`, and those that the viewer uses itself.
RESERVED_NAMES = frozenset(["id", "label", "name", *MEASURE_NAMES, *VERDICT_NAMES])
# Names of the column that names the labels.
_LABEL_NAMES = ("label", "name")
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class Column:
    """A column of properties.

    header: its heading. name: its name in the viewer's queries. values: the text of every row, an
    array of pyarrow. is_number: whether every row holds a number or nothing, and at least one row
    holds a number.
    """

    header: str
    name: str
    values: pa.Array
    is_number: bool


@dataclass(frozen=True)
class SegmentTable:
    """A table of properties.

    labels: one per row, uint64. names: the name of each label, an array of pyarrow; None if no
    column names them. columns: all other columns.
    """

    labels: np.ndarray
    names: pa.Array | None
    columns: list[Column]


NO_TABLE = SegmentTable(np.empty(0, np.uint64), None, [])


def by_label(table: SegmentTable) -> tuple[np.ndarray, np.ndarray]:
    """The labels of a table, ascending (uint64), and the row of each (int64)."""
    order = np.argsort(table.labels)
    return table.labels[order], order


def rows_of(by_label: tuple[np.ndarray, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The row of each of some labels in a table, -1 where it has none (int64)."""
    ascending, order = by_label
    at, is_there = find(ascending, labels)
    rows = np.full(len(labels), -1)
    rows[is_there] = order[at[is_there]]
    return rows


def read_segment_table(path: str | os.PathLike[str]) -> SegmentTable:
    """Read a table, CSV in UTF-8 with a line of headings or Parquet (see `tables.read_table`).

    The labels are in the column `id`, `segment_id` or `object_id`, or else in the first column. The
    column `label`, or else `name`, holds their names. Upper and lower case are the same in
    headings, and so are blanks and underscores. The names of the other columns must not be in
    RESERVED_NAMES.
    Raises UserError that names the key `segment_properties_csv`, the file and, where there is one,
    the line.
    """
    table = read_table(KEY, path)
    names = [query_name(header) for header in table.headers]
    folded = [name.lower() for name in names]
    at_id = id_column(table)
    others = [i for i in range(len(names)) if i != at_id]
    naming = next((i for known in _LABEL_NAMES for i in others if folded[i] == known), None)
    properties = [i for i in others if i != naming]
    _check_names(table, folded, properties)
    labels = labels_of(table, at_id)
    _refuse_labels_given_twice(table, labels)
    texts = {i: texts_of(table, i) for i in others}
    columns = [
        Column(table.headers[i], names[i], texts[i], _is_number(texts[i])) for i in properties
    ]
    return SegmentTable(labels, None if naming is None else texts[naming], columns)


def _check_names(table: Table, folded: list[str], properties: list[int]) -> None:
    """Raise UserError if a property has no name, a reserved name, or the name of another one.

    folded: the names of all columns in lower case. properties: the indices of the columns that
    become properties.
    """
    seen: dict[str, str] = {}
    for i in properties:
        header = table.headers[i]
        if not folded[i]:
            raise bad_heading(table, f"has no name for column {i + 1} ('{header}')")
        if folded[i] in RESERVED_NAMES:
            raise bad_heading(table, f"names a column '{header}', which is taken: rename it")
        if folded[i] in seen:
            raise bad_heading(
                table,
                f"names two columns '{seen[folded[i]]}' and '{header}', which the viewer "
                "cannot tell apart: rename one",
            )
        seen[folded[i]] = header


def _refuse_labels_given_twice(table: Table, labels: np.ndarray) -> None:
    order = np.argsort(labels, kind="stable")
    again = order[1:][labels[order[1:]] == labels[order[:-1]]]
    if len(again):
        row = int(again.min())
        first = int(np.flatnonzero(labels == labels[row])[0])
        raise bad_row(table, row, f"has label {labels[row]} again, after {place(table, first)}")


def _is_number(texts: pa.Array) -> bool:
    """Whether these texts make a column of numbers (see `Column`)."""
    present = texts.filter(pc.not_equal(texts, ""))
    if not len(present) or not pc.all(pc.match_substring_regex(present, _NUMBER)).as_py():
        return False
    # The viewer stores numbers in 32 bits. A column with a number beyond float32 stays text.
    return max(map(abs, map(float, present.to_pylist()))) <= float(np.finfo(np.float32).max)
