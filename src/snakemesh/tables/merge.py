"""Rows of many files, each ascending by label, as one stream in memory that does not grow."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemesh.errors import DamagedError

# Rows of all files that are in memory at a time, 90 MB of summaries; but at least MIN_ROWS of each.
ROWS_AT_ONCE = 1 << 19
MIN_ROWS = 64
_LAST_LABEL = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Run:
    """Rows of a file: `rows` rows of `dtype` from byte `begin` on, ascending by field `label`."""

    path: Path
    begin: int
    rows: int
    dtype: np.dtype

    def read(self, first: int, count: int) -> np.ndarray:
        """At most `count` rows, from row `first` on."""
        offset = self.begin + first * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, min(count, self.rows - first), offset=offset)


def rows_of_file(path: str, dtype: np.dtype) -> Run:
    """The rows of a file that numpy has saved. Raises DamagedError if they are of another dtype."""
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        shape, _, found = np.lib.format.read_array_header_1_0(file)
        if found != dtype or len(shape) != 1:
            raise DamagedError(Path(path), "is not a summary of this version")
        return Run(Path(path), file.tell(), shape[0], dtype)


def merged(
    runs: Sequence[Run], rows_at_once: int = ROWS_AT_ONCE, repeats: bool = False
) -> Iterator[np.ndarray]:
    """The rows of all runs in ascending order of labels; all rows of a label in the same array.

    repeats: whether a run may have several rows of a label, which no other run has then. They may
    be in several arrays, one after another.

    A block of every run is in memory. The rows up to the smallest label that ends a block are all
    there are up to that label, and go out. Raises ValueError if a run does not ascend.
    """
    block = max(rows_at_once // max(len(runs), 1), MIN_ROWS)
    held, done = [run.read(0, 0) for run in runs], [0] * len(runs)
    while True:
        for i, run in enumerate(runs):
            if done[i] < run.rows and len(held[i]) <= block // 2:
                more = run.read(done[i], block - len(held[i]))
                done[i] += len(more)
                held[i] = np.concatenate([held[i], more])
                before, after = held[i]["label"][:-1], held[i]["label"][1:]
                if np.any(after < before if repeats else after <= before):
                    raise ValueError(f"the labels in {run.path} do not ascend")
        unread = (
            rows["label"][-1] for rows, n, run in zip(held, done, runs, strict=True) if n < run.rows
        )
        limit = min(unread, default=_LAST_LABEL)
        ends = [int(np.searchsorted(rows["label"], limit, "right")) for rows in held]
        if not any(ends):
            return
        rows = np.concatenate([rows[:end] for rows, end in zip(held, ends, strict=True)])
        held = [rows[end:] for rows, end in zip(held, ends, strict=True)]
        yield rows[np.argsort(rows["label"], kind="stable")]


def in_groups(batches: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The rows of all batches in arrays of `size` rows; the last one holds what is left, if any."""
    pending: list[np.ndarray] = []
    for batch in batches:
        pending.append(batch)
        if sum(map(len, pending)) < size:
            continue
        rows = np.concatenate(pending)
        whole = len(rows) - len(rows) % size
        for first in range(0, whole, size):
            yield rows[first : first + size]
        pending = [rows[whole:]]
    if sum(map(len, pending)):
        yield np.concatenate(pending)
