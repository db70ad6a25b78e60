"""A table of a user: its labels and texts, and messages that name a line of its file.

pyarrow does not know lines: Python parses a CSV again up to the line that a message names.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snakemesh.errors import UserError

# Names of the column that holds the labels.
ID_NAMES = ("id", "segment_id", "object_id")
_LABEL = re.compile("[0-9]{1,100}")
_MAX_SHOWN = 80


@dataclass(frozen=True)
class Table:
    """Rows of a table of a user.

    key: of the configuration, or an option of a command line ("--ids"), which gives its path.
    headers: the headings of its columns. columns: arrays of pyarrow, all of one length; of a CSV,
    without its blank rows. first: how many rows of the file come before, the headings of a CSV
    among them. is_csv: whether rows have lines.
    """

    key: str
    path: Path
    headers: list[str]
    columns: list[pa.Array]
    first: int = 0
    is_csv: bool = False


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
        is_whole = pc.match_substring_regex(values, f"^{_LABEL.pattern}$")
    else:
        is_whole = values.is_valid()
    try:
        exact = values.filter(is_whole).cast(pa.uint64())
        labels: np.ndarray = exact.to_numpy(zero_copy_only=False)
        if len(labels) == len(values) and (labels >= smallest).all():
            return labels
    except pa.ArrowInvalid:
        pass  # one is too large or negative
    for row, value in enumerate(values.to_pylist()):
        text = "" if value is None else str(value)
        if not is_label(text, smallest):
            raise bad_row(table, row, no_label(text, smallest))
    raise AssertionError(f"{table.path}: pyarrow refuses labels that are whole numbers")


def texts_of(table: Table, column: int) -> pa.Array:
    """The texts of a column, without blanks at their ends, "" where there is none.

    "nan", which table libraries write for a missing number, becomes "". Raises UserError for a
    column of Parquet that is no text and has none, such as lists.
    """
    values = table.columns[column]
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
    """What a person calls a row: its line in a CSV; its number, from 1, in other files."""
    if not table.is_csv:
        return f"row {table.first + row + 1}"
    line, _ = next(islice(csv_rows(table.key, table.path), table.first + row, None))
    return f"line {line}"


def bad_heading(table: Table, found: str) -> UserError:
    """The error that says what is wrong in the headings of a whole table."""
    where = f"{table.path}, {place(table, -1)}" if table.is_csv else table.path
    return bad(table.key, where, found)


def csv_rows(key: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row of a CSV ends, and its cells. Blank rows are left out.

    Raises UserError for what is no CSV, or not in UTF-8.
    """
    # utf-8-sig: spreadsheets put a byte order mark first
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, row
        except csv.Error as error:
            where = f"{path}, line {reader.line_num}"
            raise bad(key, where, f"is not CSV ({error})") from error
        except UnicodeDecodeError as error:
            raise bad(key, path, "is not text in UTF-8") from error


def is_label(text: str, smallest: int) -> bool:
    return bool(_LABEL.fullmatch(text)) and smallest <= int(text) < 1 << 64


def no_label(text: str, smallest: int) -> str:
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    least = f"from {smallest} and " if smallest else ""
    return f"has the label '{shown}', expected a whole number {least}below 2^64"
