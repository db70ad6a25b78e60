"""Read the tables of users, CSV or Parquet: a column of labels, and columns of texts.

They are in memory as a whole, and messages name a line. A table of bodies may be far larger:
`bodies.user_table` reads it in batches.

Who needs no table does not import this module: pyarrow takes 0.06 s to import.
"""

import csv
import functools
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from snakemesh.errors import UserError

# Names of the column that holds the labels.
ID_NAMES = ("id", "segment_id", "object_id")
_PARQUET = b"PAR1"  # the first bytes of a Parquet file
_BLANK = re.compile(r'[\s,"]*')
_MAX_SHOWN = 80
# Bytes that are parsed at a time. A row has to fit in.
_BLOCK_BYTES = 1 << 28


@dataclass(frozen=True)
class Table:
    """A table of a user.

    key: of the configuration, or an option of a command line ("--ids"), which gives its path.
    headers: the headings of its columns. columns: arrays of pyarrow, all of one length. text: what
    a CSV file holds, without its blank rows in `columns`; None where the file is Parquet.
    """

    key: str
    path: Path
    headers: list[str]
    columns: list[pa.Array]
    text: bytes | None


def read_table(key: str, path: str | os.PathLike[str]) -> Table:
    """Read a Parquet file, or a CSV file in UTF-8 with a line of headings.

    All columns of a CSV are texts. Its blank rows are left out. What the file is shows in its first
    bytes. Raises UserError that names the key, the file and, where there is one, the line.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise bad(key, path, f"cannot be read ({error.strerror})") from error
    read = _read_parquet if data.startswith(_PARQUET) else _read_csv
    return read(key, path, data)


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


def id_column(table: Table) -> int:
    """Which column holds the labels: `id`, `segment_id` or `object_id`, or else the first one."""
    names = [query_name(header).lower() for header in table.headers]
    return next((i for i, name in enumerate(names) if name in ID_NAMES), 0)


def query_name(header: str) -> str:
    """A name for a heading that the viewer's queries can spell: letters, digits and underscores."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", header).strip("_")
    return name if not name or name[0].isalpha() else f"column_{name}"


def labels_of(table: Table, column: int, smallest: int = 0) -> np.ndarray:
    """The labels in a column: uint64 of shape (rows,), exact.

    Raises UserError for a value that is no whole number from `smallest` to 2^64 - 1.
    """
    values = table.columns[column]
    if pa.types.is_floating(values.type):
        expected = "expected whole numbers: not every label is exact as a float"
        found = f"has labels of type {values.type} in the column '{table.headers[column]}'"
        raise bad(table.key, table.path, f"{found}, {expected}")
    if not pa.types.is_integer(values.type):
        values = texts_of(table, column)
        # a cast alone would also take hexadecimal numbers
        is_label = pc.match_substring_regex(values, "^[0-9]{1,100}$")
    else:
        is_label = values.is_valid()
    try:
        exact = values.filter(is_label).cast(pa.uint64())
        labels: np.ndarray = exact.to_numpy(zero_copy_only=False)
        if len(labels) == len(values) and (labels >= smallest).all():
            return labels
    except pa.ArrowInvalid:
        pass  # one is too large or negative
    for row, value in enumerate(values.to_pylist()):
        text = "" if value is None else str(value)
        if not re.fullmatch("[0-9]{1,100}", text) or not smallest <= int(text) < 1 << 64:
            shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
            least = f"from {smallest} and " if smallest else ""
            expected = f"expected a whole number {least}below 2^64"
            raise bad_row(table, row, f"has the label '{shown}', {expected}")
    raise AssertionError(f"{table.path}: pyarrow refuses labels that are whole numbers")


def texts_of(table: Table, column: int) -> pa.Array:
    """The texts of a column, without blanks at their ends, "" where there is none.

    "nan", which table libraries write for a missing number, becomes "". Raises UserError for a
    column of Parquet that is no text and has none, such as lists.
    """
    values = table.columns[column]
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        texts = pc.utf8_trim_whitespace(pc.fill_null(values.cast(pa.large_string()), ""))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        found = f"has values of type {values.type} in the column '{table.headers[column]}'"
        expected = "expected numbers or texts"
        raise bad(table.key, table.path, f"{found}, {expected}") from error
    return pc.if_else(pc.equal(pc.utf8_lower(texts), "nan"), "", texts)


def bad(key: str, where: Path | str, found: str) -> UserError:
    """The error that says what is wrong with a file, or in a line of it."""
    named = key if key.startswith("--") else f"config key {key}"
    return UserError(f"{named}: {where} {found}")


def bad_row(table: Table, row: int, found: str) -> UserError:
    """The error that says what is wrong in a row. row: from 0, the headings not counted."""
    return bad(table.key, f"{table.path}, {place(table, row)}", found)


def place(table: Table, row: int) -> str:
    """What a person calls a row: its line in a CSV; its number, from 1, in Parquet."""
    if table.text is None:
        return f"row {row + 1}"
    line, _ = next(islice(_rows(table.key, table.path, table.text), row + 1, None))
    return f"line {line}"


def bad_heading(table: Table, found: str) -> UserError:
    """The error that says what is wrong in the headings."""
    where = table.path if table.text is None else f"{table.path}, {place(table, -1)}"
    return bad(table.key, where, found)


def _read_parquet(key: str, path: Path, data: bytes) -> Table:
    from pyarrow import parquet

    try:
        found = parquet.read_table(pa.BufferReader(data), use_threads=False)
        if not found.num_columns:
            raise bad(key, path, "is empty, expected columns")
        found.validate(full=True)  # texts in UTF-8 among others
        # a column of a single array
        columns = [pa.concat_arrays(_arrays(column)) for column in found.columns]
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise bad(key, path, f"is not sound Parquet ({reason})") from error
    return Table(key, path, [name.strip() for name in found.column_names], columns, None)


def _arrays(column: pa.ChunkedArray) -> list[pa.Array]:
    """The arrays of a column, of a type that takes more than 2 GB of text."""
    if pa.types.is_string(column.type):
        column = column.cast(pa.large_string())
    return column.unify_dictionaries().chunks or [pa.array([], column.type)]


def _read_csv(key: str, path: Path, data: bytes) -> Table:
    line, headings = next(_rows(key, path, data), (0, []))
    if not headings:
        raise bad(key, path, "is empty, expected a line of headings")
    names = [str(i) for i in range(len(headings))]
    try:
        found = arrow_csv.read_csv(
            pa.BufferReader(data if data.endswith(b"\n") else data + b"\n"),
            arrow_csv.ReadOptions(
                use_threads=False, skip_rows=line, column_names=names, block_size=_BLOCK_BYTES
            ),
            arrow_csv.ParseOptions(
                newlines_in_values=b'"' in data,
                invalid_row_handler=lambda row: "skip" if _BLANK.fullmatch(row.text) else "error",
            ),
            arrow_csv.ConvertOptions(column_types={name: pa.large_string() for name in names}),
        )
    except pa.ArrowInvalid as error:
        # Parsing again, in Python, finds the line.
        for line, row in _rows(key, path, data):
            if len(row) != len(headings):
                where = f"{path}, line {line}"
                expected = f"expected {len(headings)}, one for each heading"
                raise bad(key, where, f"has {len(row)} values, {expected}") from error
        raise bad(key, path, f"is not CSV ({str(error).partition(chr(10))[0]})") from error
    columns = [pa.concat_arrays(_arrays(column)) for column in found.columns]
    if b'"' in data and (data.count(b'"') % 2 or any(map(_has_line_ends, columns))):
        # pyarrow takes a quote that is never closed, and with it the rows that follow
        for _ in _rows(key, path, data):
            pass
    blank = [pc.equal(pc.utf8_trim_whitespace(column), "") for column in columns]
    is_row = pc.invert(functools.reduce(pc.and_, blank))
    headers = [heading.strip() for heading in headings]
    return Table(key, path, headers, [column.filter(is_row) for column in columns], data)


def _has_line_ends(texts: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, "[\r\n]")).as_py())


def _rows(key: str, path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row of a CSV ends, and its cells. Blank rows are left out.

    Raises UserError for what is no CSV, or not in UTF-8.
    """
    # utf-8-sig: spreadsheets put a byte order mark first
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise bad(key, where, f"is not CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise bad(key, path, "is not text in UTF-8") from error
