"""Which labels a job has met, cell by cell: so that a changed table redoes only what holds them.

A cell is a box of voxels of s0. Its *token* stands for a table under which its labels have the
bodies that its *digest* stands for. Products are named after the tokens of their cells. Where
another table gives all labels of a cell the same bodies, the token stays, and so does what was made
of that cell.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xxhash import xxh3_64

from snakemesh.errors import BAD_NPZ
from snakemesh.output.atomic import replacing


@dataclass(frozen=True)
class MetLabels:
    """The labels of some cells.

    labels, bodies: (L,) uint64, ascending labels. members: for each cell the ascending places of
    its labels in `labels`. tokens: of each cell.
    """

    labels: np.ndarray
    bodies: np.ndarray
    members: tuple[np.ndarray, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """What a file says of some cells.

    labels: (L,) uint64, ascending. members, starts: the places in `labels` of the labels of cell i
    are members[starts[i] : starts[i + 1]]. tokens, digests: (C,) uint64.
    """

    labels: np.ndarray
    members: np.ndarray
    starts: np.ndarray
    tokens: np.ndarray
    digests: np.ndarray

    def digests_of(self, bodies: np.ndarray) -> np.ndarray:
        """The digests of all cells, (C,), if the labels had these bodies, (L,) uint64."""
        ends = zip(self.starts, self.starts[1:], strict=False)
        return np.array(
            [pair_digest(self.labels, bodies, self.members[b:e]) for b, e in ends], np.uint64
        )


def pair_digest(labels: np.ndarray, bodies: np.ndarray, members: np.ndarray) -> int:
    """A number for the labels at some places and their bodies."""
    return xxh3_64(np.stack([labels[members], bodies[members]]).tobytes()).intdigest()


def write_record(path: str, met: MetLabels) -> None:
    """Keep what a job has met, instead of what was kept of the same box before."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    digests = [pair_digest(met.labels, met.bodies, members) for members in met.members]
    with replacing(target) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(
            file,
            labels=met.labels,
            members=np.concatenate(met.members).astype(np.uint32),
            starts=np.cumsum([0, *map(len, met.members)]),
            tokens=np.array(met.tokens, np.uint64),
            digests=np.array(digests, np.uint64),
        )
    for other in target.parent.glob(f"{target.name.split('.')[0]}.*.npz"):
        if other != target:
            other.unlink(missing_ok=True)


def read_tokens(path: str, n_cells: int) -> np.ndarray | None:
    """The tokens of a record, (n_cells,) uint64; None if it is not there or not sound."""
    try:
        with np.load(path) as found:
            tokens: np.ndarray = found["tokens"]
    except BAD_NPZ:
        return None
    return tokens if tokens.shape == (n_cells,) and tokens.dtype == np.uint64 else None


def read_record(path: str) -> Record | None:
    """A record whole; None if it is not there or not sound."""
    try:
        with np.load(path) as found:
            record = Record(**{name: found[name] for name in Record.__dataclass_fields__})
            if record.members.max(initial=0) >= max(len(record.labels), 1):
                return None
    except (*BAD_NPZ, TypeError):
        return None
    return record
