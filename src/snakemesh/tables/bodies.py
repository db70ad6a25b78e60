"""A table of bodies as the user has it: labels of the volume, and the body that each belongs to.

It has two columns of whole numbers, and may be far larger than memory: it is read in batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xxhash import xxh3_128

from snakemesh.errors import UserError
from snakemesh.tables.sorted_bodies import PAIR

KEY = "label_map"
_HASHED_BYTES = 16 << 20


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
    for pairs in batches(path):
        rows += len(pairs)
        largest = max(largest, int(pairs["body"].max()))
    return TableFacts(content, rows, largest)


def batches(path: str) -> Iterator[np.ndarray]:
    """The rows of a table, dtype PAIR, some at a time, in the order of the file; never none.

    path: of a CSV or Parquet file of two columns, or of a .npy of shape (n, 2); a CSV may have a
    line of headings. Raises UserError, one line, for a file that is not there, is damaged or is no
    such table, and for values that are not labels.
    """
    from snakemesh.tables.read import read_batches
    from snakemesh.tables.table import bad_row, labels_of

    n_rows = 0
    for table in read_batches(KEY, path, are_labels=True):
        if len(table.columns) != 2:
            found = f"has {len(table.columns)} columns, expected two: a label, and its body"
            raise refused(path, found)
        pairs = np.empty(len(table.columns[0]), PAIR)
        pairs["label"], pairs["body"] = labels_of(table, 0), labels_of(table, 1)
        is_wrong = (pairs["label"] == 0) & (pairs["body"] != 0)
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            found = f"gives label 0, the background, to body {pairs['body'][row]}"
            raise bad_row(table, row, f"{found}; leave the row out")
        n_rows += len(pairs)
        if len(pairs):
            yield pairs
    if not n_rows:
        raise refused(path, "has no rows, expected two columns: a label, and its body")


def refused(path: str, found: str) -> UserError:
    """The error that says what is wrong with a table."""
    return UserError(f"config key {KEY}: {path} {found}")
