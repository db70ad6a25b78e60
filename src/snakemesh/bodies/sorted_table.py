"""A table of bodies as jobs read it: sorted by label, in a file that all jobs share.

The file is a .npy of shape (n, 2), uint64, ascending labels and their bodies. Beside it lies the
index of its blocks: the first label of each, and a checksum. A job holds the index in memory, 3 MB
for 10^8 rows, and reads the blocks of the labels that it meets. It reads them rather than map them:
pages of a mapped file count as memory of the process, and nobody would check them. The system keeps
them for all jobs of a machine either way.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

import numpy as np
from xxhash import xxh3_64

from snakemesh.ascending import find
from snakemesh.bodies.user_table import Batch, refused
from snakemesh.errors import DamagedError
from snakemesh.output.atomic import replacing
from snakemesh.output.markers import read_marker

# Rows of a block: 8 KB.
BLOCK_ROWS = 512
ROW_BYTES = 16
# Labels that are looked up at once: at most so many blocks are in memory.
LABELS_AT_ONCE = 2048
# Rows that are sorted in memory at once, and of which each has a sample.
RUN_ROWS = 1 << 22
SAMPLE_ROWS = 1 << 13
# The header of a .npy of few dimensions.
_HEADER_BYTES = 128


@dataclass(frozen=True)
class SortedTable:
    """A sorted table that is open for reading.

    firsts: (B,) uint64, the first label of each block. checksums: (B,) uint64, XXH3 of each.
    """

    path: Path
    rows: int
    firsts: np.ndarray
    checksums: np.ndarray

    def bodies_of(self, labels: np.ndarray, keep_rest: bool) -> np.ndarray:
        """The bodies of labels, (n,) uint64 both.

        keep_rest: a label that is not in the table stays what it is, or else becomes background.
        Raises DamagedError if the file is not what was written.
        """
        order = np.argsort(labels)
        bodies = labels.copy() if keep_rest else np.zeros_like(labels)
        with open(self.path, "rb") as file:
            for begin in range(0, len(order), LABELS_AT_ONCE):
                some = order[begin : begin + LABELS_AT_ONCE]
                rows = self._blocks_of(file, labels[some])
                at, is_there = find(rows[:, 0], labels[some])
                bodies[some[is_there]] = rows[at[is_there], 1]
        return bodies

    def _blocks_of(self, file: IO[bytes], labels: np.ndarray) -> np.ndarray:
        """The rows of all blocks that could hold one of the ascending labels, (R, 2)."""
        found = np.searchsorted(self.firsts, labels, side="right") - 1
        wanted = np.unique(found[found >= 0]).tolist()
        blocks = []
        for block in wanted:
            begin = block * BLOCK_ROWS
            size = min(BLOCK_ROWS, self.rows - begin) * ROW_BYTES
            data = os.pread(file.fileno(), size, _HEADER_BYTES + begin * ROW_BYTES)
            if xxh3_64(data).intdigest() != self.checksums[block]:
                raise DamagedError(self.path, "is damaged")
            blocks.append(data)
        return np.frombuffer(b"".join(blocks), np.uint64).reshape(-1, 2)


def index_path(path: str | os.PathLike[str]) -> Path:
    """The index of a sorted table."""
    return Path(path).with_suffix(".index.npy")


def open_sorted(path: str, marker: str) -> SortedTable:
    """Open a sorted table. marker: what vouches for it. Raises DamagedError if it is not sound."""
    table, facts = Path(path), read_marker(marker) or {}
    try:
        data = index_path(path).read_bytes()
        if xxh3_64(data).hexdigest() != facts.get("index"):
            raise DamagedError(index_path(path), "is damaged")
        index = np.frombuffer(data, np.uint64).reshape(-1, 2)
        if os.path.getsize(path) != _HEADER_BYTES + facts["rows"] * ROW_BYTES:
            raise DamagedError(table, "is damaged")
    except OSError as error:
        raise DamagedError(table, "is gone") from error
    return SortedTable(table, facts["rows"], index[:, 0].copy(), index[:, 1].copy())


def write_sorted(path: str, source: str, batches: Iterable[Batch]) -> dict[str, object]:
    """Sort a table into a file and its index. Returns the facts of its marker.

    Memory is that of RUN_ROWS rows, whatever the number of rows. A row that is there twice counts
    once. source: the user's table, for the message. Raises UserError if a label has two bodies.
    """
    target = Path(path)
    # a file without a name, which goes with the process
    with TemporaryFile(dir=target.parent) as unsorted:
        runs = [_write_run(unsorted, source, run) for run in _runs(batches)]
        unsorted.flush()
        with replacing(target) as temporary, open(temporary, "wb") as file:
            index = _write_blocks(file, _merged(unsorted, runs, source))
            rows = (file.tell() - _HEADER_BYTES) // ROW_BYTES
            file.seek(0)
            _write_header(file, rows)
    with replacing(index_path(target)) as temporary:
        temporary.write_bytes(index.tobytes())
    return {"rows": rows, "index": xxh3_64(index.tobytes()).hexdigest()}


@dataclass(frozen=True)
class _Run:
    """Sorted rows in a file. begin, rows: where they are. samples: every SAMPLE_ROWS-th label."""

    begin: int
    rows: int
    samples: np.ndarray

    def read(self, file: IO[bytes], begin: int, end: int) -> np.ndarray:
        """Some of the rows, (n, 2) uint64."""
        end = min(end, self.rows)
        data = os.pread(file.fileno(), (end - begin) * ROW_BYTES, (self.begin + begin) * ROW_BYTES)
        return np.frombuffer(data, np.uint64).reshape(-1, 2)

    def count_up_to(self, file: IO[bytes], label: np.uint64) -> int:
        """How many rows have this label or a smaller one."""
        block = int(np.searchsorted(self.samples, label, side="right")) - 1
        if block < 0:
            return 0
        begin = block * SAMPLE_ROWS
        rows = self.read(file, begin, begin + SAMPLE_ROWS)
        return begin + int(np.searchsorted(rows[:, 0], label, side="right"))


def _runs(batches: Iterable[Batch]) -> Iterator[np.ndarray]:
    """Rows, (n, 2) uint64, RUN_ROWS at a time."""
    pending: list[np.ndarray] = []
    for labels, bodies in batches:
        rows = np.stack([labels, bodies], axis=1)
        while sum(map(len, pending)) + len(rows) >= RUN_ROWS:
            n = RUN_ROWS - sum(map(len, pending))
            yield np.concatenate([*pending, rows[:n]])
            pending, rows = [], rows[n:]
        pending.append(rows)
    yield np.concatenate(pending)


def _write_run(file: IO[bytes], source: str, rows: np.ndarray) -> _Run:
    rows = _sorted_rows(rows, source)
    begin = file.tell() // ROW_BYTES
    file.write(rows.data)
    return _Run(begin, len(rows), rows[::SAMPLE_ROWS, 0].copy())


def _sorted_rows(
    rows: np.ndarray, source: str, kind: Literal["quicksort", "stable"] = "quicksort"
) -> np.ndarray:
    """Rows in the order of their labels, each once. Raises UserError if a label has two bodies."""
    rows = rows[np.argsort(rows[:, 0], kind=kind)]
    is_again = rows[1:, 0] == rows[:-1, 0]
    if not is_again.any():
        return rows
    is_other = is_again & (rows[1:, 1] != rows[:-1, 1])
    if is_other.any():
        at = int(np.argmax(is_other))
        label, first, second = rows[at, 0], *sorted(rows[at : at + 2, 1].tolist())
        raise refused(source, f"gives label {label} to two bodies, {first} and {second}")
    once: np.ndarray = rows[np.append(True, ~is_again)]
    return once


def _merged(file: IO[bytes], runs: list[_Run], source: str) -> Iterator[np.ndarray]:
    """The rows of all runs in the order of their labels, some RUN_ROWS at a time.

    A run has a sample every SAMPLE_ROWS rows, so between two samples of all runs together there are
    few rows more than these stand for.
    """
    samples = np.sort(np.concatenate([run.samples for run in runs]))
    step = max(RUN_ROWS // SAMPLE_ROWS - len(runs), 1)
    begins = [0] * len(runs)
    for pivot in (*samples[step::step], np.uint64(2**64 - 1)):
        ends = [run.count_up_to(file, pivot) for run in runs]
        parts = [run.read(file, b, e) for run, b, e in zip(runs, begins, ends, strict=True)]
        # numpy's stable sort finds what is sorted already, and merges it
        yield _sorted_rows(np.concatenate(parts), source, "stable")
        begins = ends


def _write_blocks(file: IO[bytes], merged: Iterable[np.ndarray]) -> np.ndarray:
    """Write all rows after a header; returns the index, (B, 2): first label, checksum."""
    _write_header(file, 0)
    index: list[tuple[int, int]] = []
    rest = np.zeros((0, 2), np.uint64)
    for rows in merged:
        rows = np.concatenate([rest, rows])
        whole = len(rows) // BLOCK_ROWS * BLOCK_ROWS
        _write_rows(file, rows[:whole], index)
        rest = rows[whole:]
    _write_rows(file, rest, index)
    return np.array(index, np.uint64).reshape(-1, 2)


def _write_rows(file: IO[bytes], rows: np.ndarray, index: list[tuple[int, int]]) -> None:
    for begin in range(0, len(rows), BLOCK_ROWS):
        block = rows[begin : begin + BLOCK_ROWS]
        index.append((int(block[0, 0]), xxh3_64(block.tobytes()).intdigest()))
    file.write(rows.tobytes())


def _write_header(file: IO[bytes], rows: int) -> None:
    """The header of a .npy. numpy leaves room in it for any number of rows."""
    described = {"descr": "<u8", "fortran_order": False, "shape": (rows, 2)}
    np.lib.format.write_array_header_1_0(file, described)
    assert file.tell() == _HEADER_BYTES
