"""The table of all segments, `segments.parquet`: what is known of each, by label.

The file is Parquet (https://parquet.apache.org/docs/file-format), compressed with zstd. Its rows
ascend by label, in groups of ROWS_OF_A_GROUP, so that a reader that looks for a label reads one
group. Only the job that writes it imports this module: pyarrow takes 0.2 s to import.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snakemesh.multires.measures import MEASURES
from snakemesh.output.atomic import replacing
from snakemesh.segment_table import SegmentTable, by_label, rows_of

ROWS_OF_A_GROUP = 1 << 17
# Whole numbers below it are exact as float64.
_EXACT = float(1 << 53)
_WHOLE = r"^[+-]?[0-9]+(\.0*)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class _Given:
    """The user's table in the types of Parquet.

    by_label: see `segment_table.by_label`. names: of its labels, null where a label has none.
    columns: by name, the heading and the values of each column.
    """

    by_label: tuple[np.ndarray, np.ndarray]
    names: pa.Array
    columns: dict[str, tuple[str, pa.Array]]


def write_segments(
    path: str | os.PathLike[str], groups: Iterable[np.ndarray], table: SegmentTable
) -> None:
    """Write the table, whole or not at all. Its folder is made if it does not exist.

    groups: arrays of dtype SUMMARY in ascending order of labels, each of which becomes a group of
    rows; only one of them is in memory. table: the user's, whose `names` become the column `name`
    and whose columns follow the measures.
    """
    given = _given(table)
    schema = pa.schema(
        [
            pa.field("label", pa.uint64(), nullable=False),
            pa.field("name", pa.string()),
            *(_field(m.name, pa.from_numpy_dtype(m.dtype), m.description) for m in MEASURES),
            *(
                _field(name, values.type, header)
                for name, (header, values) in given.columns.items()
            ),
        ]
    )
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            use_dictionary=texts,
            sorting_columns=[pq.SortingColumn(0)],
        ) as writer,
    ):
        for rows in groups:
            writer.write_table(_group(rows, given, schema), len(rows))


def _group(rows: np.ndarray, given: _Given, schema: pa.Schema) -> pa.Table:
    """A group of rows with the columns of a user's table; null where that has no such label."""
    at = rows_of(given.by_label, rows["label"])
    taken = pa.array(at, mask=at < 0)
    columns = [
        pa.array(np.ascontiguousarray(rows["label"])),
        given.names.take(taken),
        *(pa.array(measure.of(rows)) for measure in MEASURES),
        *(values.take(taken) for _, values in given.columns.values()),
    ]
    # the texts of a group need no type that takes more than 2 GB, unlike those of all rows
    typed = [column.cast(f.type) for column, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(typed, schema=schema)


def _field(name: str, data_type: pa.DataType, description: str) -> pa.Field:
    data_type = pa.string() if pa.types.is_large_string(data_type) else data_type
    return pa.field(name, data_type, metadata={"description": description})


def _given(table: SegmentTable) -> _Given:
    count = len(table.labels)
    names = pa.nulls(count, pa.large_string()) if table.names is None else _texts(table.names)
    columns = {column.name: (column.header, _typed(column.values)) for column in table.columns}
    return _Given(by_label(table), names, columns)


def _texts(texts: pa.Array) -> pa.Array:
    """Texts, null where there is none."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


def _typed(values: pa.Array) -> pa.Array:
    """The values of a column: whole numbers, other numbers, or texts; null where there is none.

    A column is of numbers only if each of them stays what it is: whole numbers are int64 or uint64,
    or else stay text, also beside numbers with fractions, which are float64.
    """
    texts = _texts(values)
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
