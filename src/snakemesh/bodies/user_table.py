"""A table of bodies as the user has it: labels of the volume, and the body that each belongs to.

It is a CSV or Parquet file of two columns, with or without a heading line in the CSV, or a .npy of
shape (n, 2). It may be far larger than memory: it is read in batches. pyarrow, which reads CSV and
Parquet, takes 0.1 s to import, so only who reads a table imports it.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from xxhash import xxh3_128

from snakemesh.errors import UserError

# The first bytes of files that are no CSV.
_PARQUET, _NPY = b"PAR1", b"\x93NUMPY"
BATCH_ROWS = 1 << 20
CSV_BLOCK_BYTES = 8 << 20
MAX_LABEL = 2**64 - 1
_COLUMNS = ("label", "body")
_EXPECTED = f"two columns of whole numbers from 0 to {MAX_LABEL}"
_HASHED_BYTES = 16 << 20
# Labels and their bodies, (n,) uint64 each.
Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class TableFacts:
    """What a plan knows of a table: a hash of its content, its rows, and its largest body."""

    content: str
    rows: int
    largest: int


def content_hash(path: str) -> str:
    """XXH3 (128 bits) of a file. Raises UserError if it cannot be read."""
    found = xxh3_128()
    try:
        with open(path, "rb") as file:
            while block := file.read(_HASHED_BYTES):
                found.update(block)
    except OSError as error:
        raise refused(path, f"cannot be read ({error.strerror})") from error
    return found.hexdigest()


def table_facts(path: str, content: str) -> TableFacts:
    """Read a whole table once. content: its hash. Raises UserError as `batches` does."""
    rows, largest = 0, 0
    for labels, bodies in batches(path):
        rows += len(labels)
        largest = max(largest, int(bodies.max()))
    return TableFacts(content, rows, largest)


def batches(path: str) -> Iterator[Batch]:
    """The rows of a table, a million or so at a time, in the order of the file; never none.

    What the file is shows in its first bytes. Raises UserError, one line, for a file that is not
    there, is damaged or is no such table, and for cells that are not labels.
    """
    is_empty = True
    for batch in _reader(path)(path):
        labels, bodies = (_unsigned(path, column) for column in batch)
        if len(labels):
            is_empty = False
            _refuse_background(path, labels, bodies)
            yield labels, bodies
    if is_empty:
        raise refused(path, f"has no rows, expected {_EXPECTED}")


def _reader(path: str) -> Callable[[str], Iterator[Any]]:
    """What reads a table: its first bytes say what it is."""
    if not os.path.isfile(path):
        raise refused(path, "is not there")
    with open(path, "rb") as file:
        begin = file.read(len(_NPY))
    if begin.startswith(_PARQUET):
        return _parquet_batches
    return _npy_batches if begin == _NPY else _csv_batches


def refused(path: str, found: str) -> UserError:
    """The error that says what is wrong with a table."""
    return UserError(f"config key label_map: {path} {found}")


def _csv_batches(path: str) -> Iterator[Batch]:
    import pyarrow as pa
    from pyarrow import csv

    try:
        reader = csv.open_csv(
            pa.OSFile(path),  # given the path, pyarrow would unpack a .gz, but not see its heading
            csv.ReadOptions(
                use_threads=False,
                block_size=CSV_BLOCK_BYTES,
                column_names=_COLUMNS,
                skip_rows=int(_has_heading(path)),
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(_COLUMNS, pa.uint64()),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
        for batch in reader:
            yield batch.column(0).to_numpy(), batch.column(1).to_numpy()
    except (pa.ArrowException, OSError) as error:
        raise refused(path, f"cannot be read: {_reason(error)}; expected {_EXPECTED}") from error


def _has_heading(path: str) -> bool:
    """Whether no field of the first line of a CSV is a number."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        fields = file.readline(10_000).split(",")
    return not any(field.strip(' "\r\n').lstrip("+-")[:1].isdigit() for field in fields)


def _parquet_batches(path: str) -> Iterator[Batch]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # a column is read through a buffer, or else a group of rows would be in memory whole
        with parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            found = ", ".join(f"{field.name}: {field.type}" for field in file.schema_arrow)
            types = [field.type for field in file.schema_arrow]
            if len(types) != 2 or not all(map(pa.types.is_integer, types)):
                raise refused(path, f"has the columns {found or 'none'}, expected {_EXPECTED}")
            for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                if any(column.null_count for column in batch.columns):
                    raise refused(path, f"has empty cells, expected {_EXPECTED}")
                yield batch.column(0).to_numpy(), batch.column(1).to_numpy()
    except (pa.ArrowException, OSError) as error:
        raise refused(path, f"cannot be read: {_reason(error)}") from error


def _npy_batches(path: str) -> Iterator[Batch]:
    rows = _npy(path)
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iu":
        found = f"is an array of {rows.dtype}, shape {rows.shape}"
        raise refused(path, f"{found}, expected integers of shape (n, 2)")
    for begin in range(0, len(rows), BATCH_ROWS):
        # mapped anew each time: pages that were read count as memory of the process
        batch = np.array(_npy(path)[begin : begin + BATCH_ROWS])
        yield batch[:, 0], batch[:, 1]


def _npy(path: str) -> np.ndarray:
    try:
        found: np.ndarray = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise refused(path, f"cannot be read: {_reason(error)}") from error
    return found


def _unsigned(path: str, column: np.ndarray) -> np.ndarray:
    """A column as uint64. Raises UserError if a number is negative."""
    if column.dtype.kind == "i" and column.size and column.min() < 0:
        raise refused(path, f"has the number {column.min()}, expected {_EXPECTED}")
    return column.astype(np.uint64, copy=False)


def _refuse_background(path: str, labels: np.ndarray, bodies: np.ndarray) -> None:
    is_wrong = (labels == 0) & (bodies != 0)
    if is_wrong.any():
        body = bodies[is_wrong][0]
        raise refused(path, f"gives label 0, the background, to body {body}; leave the row out")


def _reason(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__
