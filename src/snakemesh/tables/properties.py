"""The user's table of properties, the file `segment_properties_csv`: one row per label."""

import os
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snakemesh.ascending import find
from snakemesh.tables.measures import ASKED_MEASURES, MEASURES
from snakemesh.tables.read import read_table
from snakemesh.tables.table import (
    Table,
    bad_heading,
    bad_row,
    id_column,
    labels_of,
    place,
    query_name,
    texts_of,
)

KEY = "segment_properties_csv"
# Descriptions of the columns that a verification adds to `segments.parquet`, by name.
VERDICTS = {
    "watertight": "Whether every surface is closed, at every level of detail",
    "volume_error": "Volume at the finest level of detail / volume of the voxels - 1",
}
# Lower-case names that no other column may have: those of the measures, those of the other columns
# of `segments.parquet`, those that the viewer uses itself, and those of points at centroids.
_OF_MEASURES = (name for m in MEASURES for name in (m.name, m.viewer_name))
COLOUR, SIZE = "segment_color", "marker_size"
_ASKED = (name for group in ASKED_MEASURES.values() for name, *_ in group)
_OTHERS = ("id", "label", "name", COLOUR, SIZE)
RESERVED_NAMES = frozenset([*_OTHERS, *_OF_MEASURES, *_ASKED, *VERDICTS])
# Names of the column that names the labels.
_LABEL_NAMES = ("label", "name")
_WHOLE = r"^[+-]?[0-9]+(\.0*)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
# Whole numbers below it are exact as float64.
_EXACT = float(1 << 53)


@dataclass(frozen=True)
class Column:
    """A column of properties.

    header: its heading. name: its name in the viewer's queries and in `segments.parquet`. values:
    an array of pyarrow of int64, uint64, float64 or large_string; null where there is none.
    """

    header: str
    name: str
    values: pa.Array


@dataclass(frozen=True)
class Properties:
    """A table of properties.

    labels: one per row, uint64, ascending. names: the name of each label, a large_string array of
    pyarrow, null where a label has none. columns: all other columns.
    """

    labels: np.ndarray
    names: pa.Array
    columns: list[Column]


NO_PROPERTIES = Properties(np.empty(0, np.uint64), pa.nulls(0, pa.large_string()), [])


def read_properties(path: str | os.PathLike[str]) -> Properties:
    """Read a table, CSV in UTF-8 with a line of headings or Parquet (see `read.read_table`).

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
    order = np.argsort(labels, kind="stable")
    _refuse_labels_given_twice(table, labels, order)
    texts = {i: _present(texts_of(table, i)).take(pa.array(order)) for i in others}
    columns = [Column(table.headers[i], names[i], _typed(texts[i])) for i in properties]
    unnamed = pa.nulls(len(labels), pa.large_string())
    return Properties(labels[order], unnamed if naming is None else texts[naming], columns)


def rows_of(ascending: np.ndarray, labels: np.ndarray) -> pa.Array:
    """The place of each of some labels in an ascending array, null where it is not there: what
    `take` of pyarrow takes.
    """
    at, is_there = find(ascending, labels)
    return pa.array(at, mask=~is_there)


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


def _refuse_labels_given_twice(table: Table, labels: np.ndarray, order: np.ndarray) -> None:
    again = order[1:][labels[order[1:]] == labels[order[:-1]]]
    if len(again):
        row = int(again.min())
        first = int(np.flatnonzero(labels == labels[row])[0])
        raise bad_row(table, row, f"has label {labels[row]} again, after {place(table, first)}")


def _present(texts: pa.Array) -> pa.Array:
    """Texts, null where there is none."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


def _typed(texts: pa.Array) -> pa.Array:
    """The values of a column: whole numbers, other numbers, or texts; null where there is none.

    A column is of numbers only if none of them changes: all are whole and fit into int64 or uint64;
    or they are float64, and those that are whole are exact. Otherwise it stays text.
    """
    present = texts.drop_null()
    if not len(present) or not _all(pc.match_substring_regex(present, _NUMBER)):
        return texts
    is_whole = pc.match_substring_regex(present, _WHOLE)
    plain = pc.replace_substring_regex(texts, r"^\+|\.0*$", "")
    if _all(is_whole):
        for data_type in (pa.int64(), pa.uint64()):
            try:
                return plain.cast(data_type)
            except pa.ArrowInvalid:
                continue  # one is too large
        return texts
    numbers = plain.cast(pa.float64())
    whole = pc.abs(numbers.drop_null().filter(is_whole))
    is_exact = _all(pc.less(whole, _EXACT)) and _all(pc.is_finite(numbers))
    return numbers if is_exact else texts


def _all(booleans: pa.Array) -> bool:
    """Whether all are true; null says nothing."""
    return bool(pc.all(booleans, min_count=0).as_py())
