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
from typing import IO

import numpy as np
from xxhash import xxh3_64

from snakemesh.ascending import find
from snakemesh.errors import DamagedError, UserError
from snakemesh.output.atomic import replacing
from snakemesh.output.markers import read_marker
from snakemesh.tables.merge import Run, in_groups, merged

PAIR = np.dtype([("label", "<u8"), ("body", "<u8")])
# Rows of a block: 8 KB.
BLOCK_ROWS = 512
# Labels that are looked up at once: the largest number of blocks in memory.
LABELS_AT_ONCE = 2048
# Rows that are sorted in memory at once: 64 MB, and as much again for their order and a copy.
RUN_ROWS = 1 << 22
# The header of a .npy of few dimensions.
_HEADER_BYTES = 128


@dataclass(frozen=True)
class SortedBodies:
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
        bodies = np.empty_like(labels)
        with open(self.path, "rb") as file:
            for begin in range(0, len(order), LABELS_AT_ONCE):
                some = order[begin : begin + LABELS_AT_ONCE]
                rows = self._blocks_of(file, labels[some])
                bodies[some] = bodies_in(rows, labels[some], keep_rest)
        return bodies

    def _blocks_of(self, file: IO[bytes], labels: np.ndarray) -> np.ndarray:
        """The rows of all blocks that could hold one of the ascending labels, dtype PAIR."""
        found = np.searchsorted(self.firsts, labels, side="right") - 1
        blocks = []
        for block in np.unique(found[found >= 0]).tolist():
            begin = block * BLOCK_ROWS
            size = min(BLOCK_ROWS, self.rows - begin) * PAIR.itemsize
            data = os.pread(file.fileno(), size, _HEADER_BYTES + begin * PAIR.itemsize)
            if xxh3_64(data).intdigest() != self.checksums[block]:
                raise DamagedError(self.path, "is damaged")
            blocks.append(data)
        return np.frombuffer(b"".join(blocks), PAIR)


def bodies_in(rows: np.ndarray, labels: np.ndarray, keep_rest: bool) -> np.ndarray:
    """The bodies of labels, (n,) uint64 both, in ascending rows, dtype PAIR."""
    at, is_there = find(rows["label"], labels)
    bodies = labels.copy() if keep_rest else np.zeros_like(labels)
    bodies[is_there] = rows["body"][at[is_there]]
    return bodies


def index_path(path: str | os.PathLike[str]) -> Path:
    """The index of a sorted table."""
    return Path(path).with_suffix(".index.npy")


def open_sorted(path: str, marker: str) -> SortedBodies:
    """Open a sorted table. marker: what vouches for it. Raises DamagedError if it is not sound."""
    table, facts = Path(path), read_marker(marker) or {}
    try:
        data = index_path(path).read_bytes()
        if xxh3_64(data).hexdigest() != facts.get("index"):
            raise DamagedError(index_path(path), "is damaged")
        index = np.frombuffer(data, np.uint64).reshape(-1, 2)
        if os.path.getsize(path) != _HEADER_BYTES + facts["rows"] * PAIR.itemsize:
            raise DamagedError(table, "is damaged")
    except OSError as error:
        raise DamagedError(table, "is gone") from error
    return SortedBodies(table, facts["rows"], index[:, 0].copy(), index[:, 1].copy())


def write_sorted(path: str, source: str, batches: Iterable[np.ndarray]) -> dict[str, object]:
    """Sort a table into a file and its index. Returns the facts of its marker.

    batches: its rows, dtype PAIR; a row that is there twice counts once. source: the user's table,
    for the message. Memory is that of RUN_ROWS rows, whatever the number of rows. Raises UserError
    if a label has two bodies.
    """
    target = Path(path)
    # a file without a name, which goes with the process
    with TemporaryFile(dir=target.parent) as unsorted:
        runs = [_write_run(unsorted, source, rows) for rows in in_groups(batches, RUN_ROWS)]
        unsorted.flush()
        stream = (once(rows, source) for rows in merged(runs, RUN_ROWS))
        with replacing(target) as temporary, open(temporary, "wb") as file:
            _write_header(file, 0)
            index = np.array(list(_write_blocks(file, stream)), np.uint64)
            rows = (file.tell() - _HEADER_BYTES) // PAIR.itemsize
            file.seek(0)
            _write_header(file, rows)
    with replacing(index_path(target)) as temporary:
        temporary.write_bytes(index.tobytes())
    return {"rows": rows, "index": xxh3_64(index.tobytes()).hexdigest()}


def _write_run(file: IO[bytes], source: str, rows: np.ndarray) -> Run:
    rows = once(rows[np.argsort(rows["label"])], source)
    begin = file.tell()
    file.write(rows.tobytes())
    return Run(Path(f"/dev/fd/{file.fileno()}"), begin, len(rows), PAIR)


def once(rows: np.ndarray, source: str) -> np.ndarray:
    """Ascending rows, each once. Raises UserError if a label has two bodies."""
    is_again = rows["label"][1:] == rows["label"][:-1]
    is_other = is_again & (rows["body"][1:] != rows["body"][:-1])
    if is_other.any():
        at = int(np.argmax(is_other))
        bodies = " and ".join(map(str, sorted(rows["body"][at : at + 2].tolist())))
        found = f"gives label {rows['label'][at]} to two bodies, {bodies}"
        raise UserError(f"config key label_map: {source} {found}")
    return rows[np.append(True, ~is_again)] if is_again.any() else rows


def _write_blocks(file: IO[bytes], stream: Iterable[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Write all rows; yields the entries of the index: the first label of a block, its checksum."""
    for block in in_groups(stream, BLOCK_ROWS):
        data = block.tobytes()
        file.write(data)
        yield int(block["label"][0]), xxh3_64(data).intdigest()


def _write_header(file: IO[bytes], rows: int) -> None:
    """The header of a .npy. numpy leaves room in it for any number of rows."""
    described = {"descr": "<u8", "fortran_order": False, "shape": (rows, 2)}
    np.lib.format.write_array_header_1_0(file, described)
    assert file.tell() == _HEADER_BYTES
