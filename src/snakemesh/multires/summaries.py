"""The summaries of all shards as one stream of rows, by label, in memory that does not grow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.multires.shard_layout import SUMMARY
from snakemesh.output.served import served_file

# Rows of all summaries that are in memory at a time, 66 MB; but at least so many of each.
ROWS_AT_ONCE = 1 << 19
MIN_ROWS = 64


@dataclass(frozen=True)
class Summary:
    """The file of a shard's summary: `rows` rows of dtype SUMMARY from byte `begin` on."""

    path: Path
    begin: int
    rows: int


def checked_summary(path: str, record: Mapping[str, Any]) -> Summary:
    """A summary that numpy has saved, which must be, all of it, what its marker's record says.

    Raises DamagedError where it is gone, or is another file than was written.
    """
    try:
        if asdict(served_file(path)) != record:
            raise DamagedError(Path(path), "is not what was written")
        with open(path, "rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            begin = file.tell()
    except FileNotFoundError:
        raise DamagedError(Path(path), "is gone") from None
    if dtype != SUMMARY or len(shape) != 1:
        raise DamagedError(Path(path), "is no summary of this version")
    return Summary(Path(path), begin, shape[0])


def merged(summaries: Sequence[Summary], rows_at_once: int = ROWS_AT_ONCE) -> Iterator[np.ndarray]:
    """The rows of all summaries, each of which ascends by label, in ascending order.

    Yields arrays of dtype SUMMARY, none of them empty. In each round, a block of every summary is
    read. What lies up to the smallest of the blocks' ends is all there is up to that label, and
    goes out; the rest is read again. As labels are spread over shards by a hash, little is.
    Raises ValueError if a label is in two summaries, or a summary does not ascend.
    """
    block = max(rows_at_once // max(len(summaries), 1), MIN_ROWS)
    left = [(summary, 0) for summary in summaries if summary.rows]
    while left:
        blocks = [_read(summary, done, block) for summary, done in left]
        unread = [
            rows["label"][-1]
            for (summary, done), rows in zip(left, blocks, strict=True)
            if done + len(rows) < summary.rows
        ]
        limit = min(unread, default=np.uint64(2**64 - 1))
        taken = [int(np.searchsorted(rows["label"], limit, "right")) for rows in blocks]
        rows = np.concatenate([rows[:n] for rows, n in zip(blocks, taken, strict=True)])
        rows = rows[np.argsort(rows["label"], kind="stable")]
        labels = rows["label"]
        if np.any(twice := labels[1:] == labels[:-1]):
            raise ValueError(f"label {labels[1:][twice][0]} is in the summaries of two shards")
        yield rows
        moved = ((s, done + n) for (s, done), n in zip(left, taken, strict=True))
        left = [(summary, done) for summary, done in moved if done < summary.rows]


def _read(summary: Summary, first: int, count: int) -> np.ndarray:
    """At most `count` rows of a summary, from row `first` on."""
    rows = np.fromfile(
        summary.path,
        SUMMARY,
        min(count, summary.rows - first),
        offset=summary.begin + first * SUMMARY.itemsize,
    )
    if np.any(rows["label"][1:] <= rows["label"][:-1]):
        raise ValueError(f"the labels in {summary.path} do not ascend")
    return rows


def in_groups(batches: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The rows of all batches in arrays of `size` rows; the last one holds what is left, if any."""
    rest = np.empty(0, SUMMARY)
    for batch in batches:
        rest = np.concatenate([rest, batch])
        whole = len(rest) - len(rest) % size
        for first in range(0, whole, size):
            yield rest[first : first + size]
        rest = rest[whole:]
    if len(rest):
        yield rest


def largest(rows: np.ndarray, count: int | None) -> np.ndarray:
    """The `count` rows of the largest volume, of equal ones those of the smaller labels.

    They stay in ascending order of labels, in which `rows` are. None takes all rows.
    """
    if count is None or len(rows) <= count:
        return rows
    order = np.lexsort((rows["label"], -rows["volume"]))
    return rows[np.sort(order[:count])]
