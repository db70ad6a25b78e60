"""Read the tables of users: CSV, Parquet or .npy. The first bytes of a file say which it is.

Who needs no table does not import this module: pyarrow takes 0.06 s to import.
"""

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from snakemesh.tables.table import (
    Table,
    bad,
    bad_heading,
    csv_rows,
    id_column,
    is_label,
    labels_of,
    no_label,
)

# The first bytes of files that are no CSV.
_PARQUET, _NPY = b"PAR1", b"\x93NUMPY"
_BLANK = re.compile(r'[\s,"]*')
# Rows of Parquet and .npy that are in memory at a time.
BATCH_ROWS = 1 << 20
# Bytes of a CSV that are parsed at a time: of labels, and of texts. A row has to fit in.
LABEL_BYTES, TEXT_BYTES = 8 << 20, 1 << 28


def read_table(key: str, path: str | os.PathLike[str]) -> Table:
    """Read a Parquet file, or a CSV file in UTF-8 with a line of headings.

    All columns of a CSV are texts. Raises UserError that names the key, the file and, where there
    is one, the line.
    """
    tables = list(read_batches(key, path))
    columns = [pa.concat_arrays(parts) for parts in zip(*(t.columns for t in tables), strict=True)]
    return replace(tables[0], columns=columns)


def read_batches(
    key: str, path: str | os.PathLike[str], are_labels: bool = False
) -> Iterator[Table]:
    """The rows of a table, in the order of the file, in parts; at least one part.

    are_labels: every column holds labels, so that a CSV needs no line of headings, and is read in
    memory that does not grow. Raises UserError as `read_table` does.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            begin = file.read(len(_NPY))
    except OSError as error:
        raise bad(key, path, f"cannot be read ({error.strerror})") from error
    if begin.startswith(_PARQUET):
        yield from _parquet_batches(key, path)
    elif begin == _NPY:
        yield from _npy_batches(key, path)
    else:
        yield from _csv_batches(key, path, are_labels)


def read_labels(key: str, path: str | os.PathLike[str]) -> np.ndarray:
    """The labels that a table lists, in the order of its rows: uint64 of shape (rows,), from 1.

    Raises UserError as `read_table` does, and where the labels have no heading.
    """
    table = read_table(key, path)
    column = id_column(table)
    if (heading := table.headers[column]).isdigit():
        found = f"begins with the label '{heading}', expected a line of headings first"
        raise bad_heading(table, found)
    return labels_of(table, column, smallest=1)


def _parquet_batches(key: str, path: Path) -> Iterator[Table]:
    try:
        # a column is read through a buffer, or else a group of rows would be in memory whole
        with parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            if not file.schema_arrow.names:
                raise bad(key, path, "is empty, expected columns")
            names = [name.strip() for name in file.schema_arrow.names]
            batches = file.iter_batches(BATCH_ROWS, use_threads=False)
            first = 0
            for batch in chain([_no_rows(file.schema_arrow)], batches):
                batch.validate(full=True)  # texts in UTF-8 among others
                yield Table(key, path, names, list(map(_plain, batch.columns)), first)
                first += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise bad(key, path, f"is not sound Parquet ({_reason(error)})") from error


def _plain(column: pa.Array) -> pa.Array:
    """The array of a column, of a type that takes more than 2 GB of text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string()) if pa.types.is_string(column.type) else column


def _npy_batches(key: str, path: Path) -> Iterator[Table]:
    rows = _npy(key, path)
    if rows.ndim != 2 or rows.dtype.kind not in "iu":
        found = f"is an array of {rows.dtype}, shape {rows.shape}"
        raise bad(key, path, f"{found}, expected integers of shape (rows, columns)")
    names = [str(column) for column in range(rows.shape[1])]
    for begin in range(0, max(len(rows), 1), BATCH_ROWS):
        # mapped anew each time: pages that were read count as memory of the process
        batch = np.array(_npy(key, path)[begin : begin + BATCH_ROWS])
        columns = batch.T.astype(batch.dtype.newbyteorder("="), order="C")
        yield Table(key, path, names, list(map(pa.array, columns)), begin)


def _npy(key: str, path: Path) -> np.ndarray:
    try:
        found: np.ndarray = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise bad(key, path, f"is not a sound array of numpy ({_reason(error)})") from error
    return found


def _csv_batches(key: str, path: Path, are_labels: bool) -> Iterator[Table]:
    line, headings = next(csv_rows(key, path), (0, []))
    if not headings:
        raise bad(key, path, "is empty, expected a line of headings")
    has_heading = not (are_labels and any(text.strip(" +-")[:1].isdigit() for text in headings))
    names = [str(i) for i in range(len(headings))]
    data = None if are_labels else path.read_bytes()
    has_quotes = data is not None and b'"' in data
    data_type = pa.uint64() if are_labels else pa.large_string()
    first, has_line_ends = int(has_heading), False
    try:
        batches = arrow_csv.open_csv(
            pa.OSFile(str(path)) if data is None else pa.BufferReader(data + b"\n"),
            arrow_csv.ReadOptions(
                use_threads=False,
                skip_rows=line if has_heading else 0,
                column_names=names,
                block_size=LABEL_BYTES if are_labels else TEXT_BYTES,
            ),
            arrow_csv.ParseOptions(
                newlines_in_values=has_quotes,
                invalid_row_handler=lambda row: "skip" if _BLANK.fullmatch(row.text) else "error",
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, data_type),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
        for batch in chain([_no_rows(batches.schema)], batches):
            columns = batch.columns
            if has_quotes:
                has_line_ends |= any(map(_has_line_ends, columns))
            if not are_labels:
                blank = [pc.equal(pc.utf8_trim_whitespace(column), "") for column in columns]
                is_row = pc.invert(functools.reduce(pc.and_, blank))
                columns = [column.filter(is_row) for column in columns]
            headers = [heading.strip() for heading in headings]
            yield Table(key, path, headers, columns, first, True)
            first += len(columns[0])
    except pa.ArrowInvalid as error:
        _refuse_row(key, path, len(headings), are_labels, has_heading)
        raise bad(key, path, f"is not CSV ({_reason(error)})") from error
    if data is not None and (data.count(b'"') % 2 or has_line_ends):
        # pyarrow takes a quote that is never closed, and with it the rows that follow
        for _ in csv_rows(key, path):
            pass


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)


def _has_line_ends(texts: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, "[\r\n]")).as_py())


def _refuse_row(key: str, path: Path, columns: int, are_labels: bool, has_heading: bool) -> None:
    """Raise UserError for the first row of a CSV that has not as many values, or is no labels."""
    for number, (line, row) in enumerate(csv_rows(key, path)):
        if len(row) != columns:
            expected = f"expected {columns}, one for each heading"
            raise bad(key, f"{path}, line {line}", f"has {len(row)} values, {expected}")
        for text in row if are_labels and number >= has_heading else ():
            if not is_label(text.strip(), 0):
                raise bad(key, f"{path}, line {line}", no_label(text.strip(), 0))


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
