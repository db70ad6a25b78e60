"""The summaries of shards: a row per label, from which all that is said of segments is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.output.served import served_file
from snakemesh.tables.merge import Run, merged, rows_of_file


def checked_summary(path: str, record: Mapping[str, Any], dtype: np.dtype) -> Run:
    """A summary that numpy has saved, which must be, all of it, what its marker's record says.

    dtype: of its rows. Raises DamagedError where it is gone, or is another file than was written.
    """
    try:
        if asdict(served_file(path)) != record:
            raise DamagedError(Path(path), "is not what was written")
        return rows_of_file(path, dtype)
    except FileNotFoundError:
        raise DamagedError(Path(path), "is gone") from None


def all_rows(summaries: Sequence[Run]) -> Iterator[np.ndarray]:
    """The rows of all summaries, ascending by label. Raises ValueError if two have a label."""
    for rows in merged(summaries):
        labels = rows["label"]
        if np.any(twice := labels[1:] == labels[:-1]):
            raise ValueError(f"label {labels[1:][twice][0]} is in the summaries of two shards")
        yield rows


def largest(rows: np.ndarray, count: int | None) -> np.ndarray:
    """The `count` rows of the largest volume, of equal ones those of the smaller labels.

    They stay in ascending order of labels, in which `rows` are. None takes all rows.
    """
    if count is None or len(rows) <= count:
        return rows
    order = np.lexsort((rows["label"], -rows["volume"]))
    return rows[np.sort(order[:count])]
