"""The table of all segments, `segments.parquet`: what is known of each, by label.

The file is Parquet (https://parquet.apache.org/docs/file-format), compressed with zstd. Its rows
ascend by label, in groups of ROWS_OF_A_GROUP, so that a reader that looks for a label reads one
group. Only the job that writes it imports this module: pyarrow takes 0.2 s to import.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.output.atomic import replacing
from snakemesh.tables.contacts import Neighbours
from snakemesh.tables.measures import (
    ASKED_MEASURES,
    MEASURED,
    SUMMARY,
    WITH_NEIGHBOURS,
    measures_of,
)
from snakemesh.tables.merge import Run, in_groups
from snakemesh.tables.properties import VERDICTS, Properties, rows_of
from snakemesh.tables.summaries import all_rows, largest

ROWS_OF_A_GROUP = 1 << 17


@dataclass
class Segments:
    """What has been seen of the segments.

    listed: those that the viewer is to list, in ascending order of labels, of the dtype of the
    rows: SUMMARY, or WITH_NEIGHBOURS. count: how many there are in all.
    """

    listed: np.ndarray
    count: int = 0


@dataclass(frozen=True)
class MeasureColumns:
    """What the key `measures` asks for: its values, and MEASURED of all labels, ascending."""

    measures: Sequence[str] = ()
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, MEASURED))

    def fields(self) -> list[pa.Field]:
        """The columns."""
        groups = (ASKED_MEASURES[name] for name in ASKED_MEASURES if name in self.measures)
        found = (row for group in groups for row in group)
        return [_field(name, pa.from_numpy_dtype(np.dtype(t)), text) for name, t, text in found]

    def columns(self, labels: np.ndarray) -> list[pa.Array]:
        """The values of some labels, null where nothing was measured."""
        taken = rows_of(self.rows["label"], labels)
        names = (column.name for column in self.fields())
        return [pa.array(np.ascontiguousarray(self.rows[name])).take(taken) for name in names]


NO_MEASURES = MeasureColumns()


def index_segments(
    path: str | os.PathLike[str],
    summaries: Sequence[Run],
    table: Properties,
    max_listed: int | None,
    neighbours: Neighbours | None = None,
    measured: MeasureColumns = NO_MEASURES,
) -> Segments:
    """Write the table of all segments to `path`, whole or not at all, and say what was seen.

    The summaries are read once, as a stream. table: the user's. max_listed: how many
    segments the viewer lists at most, the largest ones; None for all of them. neighbours: of all
    segments, None where they are not known: then the table has no such column.
    """
    dtype = SUMMARY if neighbours is None else WITH_NEIGHBOURS
    seen = Segments(np.empty(0, dtype))
    groups: Iterable[np.ndarray] = in_groups(all_rows(summaries), ROWS_OF_A_GROUP)
    if neighbours is not None:
        groups = map(neighbours.added_to, groups)
    write_segments(path, _watched(groups, seen, max_listed), table, dtype, measured)
    seen.listed = largest(seen.listed, max_listed)
    return seen


def _watched(
    groups: Iterable[np.ndarray], seen: Segments, max_listed: int | None
) -> Iterator[np.ndarray]:
    """Pass groups of rows on, and keep in mind what is seen."""
    for rows in groups:
        seen.count += len(rows)
        # rows that are too small for the list are dropped now and then, which is cheap
        seen.listed = np.concatenate([seen.listed, rows])
        if max_listed is not None and len(seen.listed) > 2 * max_listed:
            seen.listed = largest(seen.listed, max_listed)
        yield rows


def write_segments(
    path: str | os.PathLike[str],
    groups: Iterable[np.ndarray],
    table: Properties,
    dtype: np.dtype = SUMMARY,
    measured: MeasureColumns = NO_MEASURES,
) -> None:
    """Write the table, whole or not at all. Its folder is made if it does not exist.

    groups: arrays of `dtype` in ascending order of labels, each of which becomes a group of rows;
    only one of them is in memory. table: the user's, whose `names` become the column `name` and
    whose columns follow the measures, and those of `measured`. dtype: SUMMARY or
    WITH_NEIGHBOURS.
    """
    schema = segments_schema(table, dtype, measured)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, _writer(temporary, schema) as writer:
        for rows in groups:
            writer.write_table(_group(rows, table, measured, schema), len(rows))


def segments_schema(
    table: Properties, dtype: np.dtype, measured: MeasureColumns = NO_MEASURES
) -> pa.Schema:
    """The columns of `segments.parquet` before a verification adds its own.

    table: the user's. dtype: of rows, SUMMARY or WITH_NEIGHBOURS.
    """
    measures = measures_of(dtype)
    return pa.schema(
        [
            pa.field("label", pa.uint64(), nullable=False),
            pa.field("name", pa.string()),
            *(_field(m.name, pa.from_numpy_dtype(m.dtype), m.description) for m in measures),
            *measured.fields(),
            *(_field(c.name, c.values.type, c.header) for c in table.columns),
        ]
    )


def add_verdicts(
    path: Path, temporary: Path, labels: np.ndarray, verdicts: Mapping[str, pa.Array]
) -> None:
    """Copy the table with the columns VERDICTS at its end, instead of those that it may have.

    path: the table. temporary: the copy. labels: uint64, ascending. verdicts: by name of a column
    its values for these labels; null for other labels. A group of rows is in memory at a time.
    """
    file = pq.ParquetFile(path)
    old = [field for field in file.schema_arrow if field.name not in VERDICTS]
    new = [_field(name, verdicts[name].type, text) for name, text in VERDICTS.items()]
    schema = pa.schema([*old, *new])
    with _writer(temporary, schema) as writer:
        for i in range(file.num_row_groups):
            group = file.read_row_group(i, [field.name for field in old], use_threads=False)
            taken = rows_of(labels, group["label"].to_numpy())
            columns = [*group.columns, *(verdicts[name].take(taken) for name in VERDICTS)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), max(len(group), 1))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    order = [pq.SortingColumn(0)]
    return pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=texts, sorting_columns=order
    )


def _group(
    rows: np.ndarray, table: Properties, measured: MeasureColumns, schema: pa.Schema
) -> pa.Table:
    """A group of rows with the columns of a user's table; null where that has no such label."""
    given = rows_of(table.labels, rows["label"])
    columns = [
        pa.array(np.ascontiguousarray(rows["label"])),
        table.names.take(given),
        *(pa.array(measure.of(rows)) for measure in measures_of(rows.dtype)),
        *measured.columns(rows["label"]),
        *(column.values.take(given) for column in table.columns),
    ]
    # the texts of a group need no type that takes more than 2 GB, unlike those of all rows
    typed = [column.cast(f.type) for column, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(typed, schema=schema)


def _field(name: str, data_type: pa.DataType, description: str) -> pa.Field:
    data_type = pa.string() if pa.types.is_large_string(data_type) else data_type
    return pa.field(name, data_type, metadata={"description": description})
