"""Read the user's table of properties, the file `segment_properties_csv`: one row per label."""

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemesh.errors import UserError

# The properties that a run itself gives to every label.
MEASURE_NAMES = (
    "volume",
    "area",
    "faces",
    "x_min",
    "y_min",
    "z_min",
    "x_max",
    "y_max",
    "z_max",
)
# Lower-case names that no other column may have: those of the measures, and those that the viewer
# uses itself.
RESERVED_NAMES = frozenset(["id", "label", *MEASURE_NAMES])
# Names of the column that holds the labels, and names of the column that names them.
_ID_NAMES = ("id", "segment_id", "object_id")
_LABEL_NAMES = ("label", "name")
# Python refuses to read numbers of thousands of digits.
_LABEL = re.compile(r"\d{1,100}", re.ASCII)
_MAX_SHOWN = 80
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Column:
    """A column of properties.

    header: its heading. name: its name in the viewer's queries. values: the text of every row.
    is_number: whether every row holds a number or nothing, and at least one row holds a number.
    """

    header: str
    name: str
    values: list[str]
    is_number: bool


@dataclass(frozen=True)
class SegmentTable:
    """A table of properties.

    labels: one per row. names: the name of each label, None if no column names them. columns: all
    other columns.
    """

    labels: list[int]
    names: list[str] | None
    columns: list[Column]


def read_segment_table(path: str | os.PathLike[str]) -> SegmentTable:
    """Read a CSV file in UTF-8 with a line of headings.

    The labels are in the column `id`, `segment_id` or `object_id`, or else in the first column. The
    column `label`, or else `name`, holds their names. Upper and lower case are the same in
    headings, and so are blanks and underscores. The names of the other columns must not be in
    RESERVED_NAMES.
    Raises UserError that names the key `segment_properties_csv`, the file and, where there is one,
    the line.
    """
    lines, rows = _read_rows(path)
    headers = [cell.strip() for cell in rows[0]]
    names = [_query_name(header) for header in headers]
    folded = [name.lower() for name in names]
    at_id = next((i for i, name in enumerate(folded) if name in _ID_NAMES), 0)
    others = [i for i in range(len(headers)) if i != at_id]
    naming = next((i for known in _LABEL_NAMES for i in others if folded[i] == known), None)
    properties = [i for i in others if i != naming]
    _check_names(path, lines[0], headers, folded, properties)
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(headers):
            expected = f"expected {len(headers)}, one for each heading"
            raise _bad(path, line, f"has {len(row)} values, {expected}")
    labels = _parse_labels(path, lines[1:], [row[at_id].strip() for row in rows[1:]])
    texts = {i: [_present(row[i]) for row in rows[1:]] for i in others}
    columns = [Column(headers[i], names[i], texts[i], _is_number(texts[i])) for i in properties]
    return SegmentTable(labels, None if naming is None else texts[naming], columns)


def _read_rows(path: str | os.PathLike[str]) -> tuple[list[int], list[list[str]]]:
    """The number of the line on which each row ends, and the cells of each row.

    The first row is the headings. Blank rows are left out.
    """
    lines, rows = [], []
    try:
        # utf-8-sig: spreadsheets put a byte order mark first.
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            try:
                for row in reader:
                    if any(cell.strip() for cell in row):
                        lines.append(reader.line_num)
                        rows.append(row)
            except csv.Error as error:
                raise _bad(path, reader.line_num, f"is not CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise _bad(path, None, "is not text in UTF-8") from error
    except OSError as error:
        raise _bad(path, None, f"cannot be read ({error.strerror})") from error
    if not rows:
        raise _bad(path, None, "is empty, expected a line of headings")
    return lines, rows


def _query_name(header: str) -> str:
    """A name for a heading that the viewer's queries can spell: letters, digits and underscores."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", header).strip("_")
    return name if not name or name[0].isalpha() else f"column_{name}"


def _check_names(
    path: str | os.PathLike[str],
    line: int,
    headers: list[str],
    folded: list[str],
    properties: list[int],
) -> None:
    """Raise UserError if a property has no name, a reserved name, or the name of another one.

    line: of the headings. folded: the names of all columns in lower case. properties: the indices
    of the columns that become properties.
    """
    seen: dict[str, str] = {}
    for i in properties:
        if not folded[i]:
            raise _bad(path, line, f"has no name for column {i + 1} ('{headers[i]}')")
        if folded[i] in RESERVED_NAMES:
            raise _bad(path, line, f"names a column '{headers[i]}', which is taken: rename it")
        if folded[i] in seen:
            raise _bad(
                path,
                line,
                f"names two columns '{seen[folded[i]]}' and '{headers[i]}', which the viewer "
                "cannot tell apart: rename one",
            )
        seen[folded[i]] = headers[i]


def _parse_labels(path: str | os.PathLike[str], lines: list[int], texts: list[str]) -> list[int]:
    """The labels in these texts. Raises UserError if one is no label, or is there twice."""
    seen: dict[int, int] = {}  # line by label
    for line, text in zip(lines, texts, strict=True):
        if not _LABEL.fullmatch(text) or int(text) >= 1 << 64:
            shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
            raise _bad(path, line, f"has the label '{shown}', expected a whole number below 2^64")
        label = int(text)
        if label in seen:
            raise _bad(path, line, f"has label {label} again, after line {seen[label]}")
        seen[label] = line
    return list(seen)


def _present(text: str) -> str:
    """The text of a cell. "nan", which table libraries write for a missing number, becomes ""."""
    text = text.strip()
    return "" if text.lower() == "nan" else text


def _is_number(values: list[str]) -> bool:
    """Whether these texts make a column of numbers (see `Column`)."""
    present = [value for value in values if value]
    if not present or not all(_NUMBER.fullmatch(value) for value in present):
        return False
    # The viewer stores numbers in 32 bits. A column with a number beyond float32 stays text.
    return max(abs(float(value)) for value in present) <= float(np.finfo(np.float32).max)


def _bad(path: str | os.PathLike[str], line: int | None, found: str) -> UserError:
    place = f"{Path(path)}" if line is None else f"{Path(path)}, line {line}"
    return UserError(f"segment_properties_csv: {place} {found}")
