"""Which labels a job has seen and which bodies they had, so that a changed table redoes little.

A record's *token* stands for a table under which its labels have these bodies. What a job makes is
named after the token of what it reads. Where another table gives all its labels the same bodies,
the token stays, and so does what was made.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemesh.errors import BAD_NPZ
from snakemesh.output.atomic import replacing


@dataclass(frozen=True)
class Seen:
    """The labels that a job has seen, ascending, and their bodies: (L,) uint64 both."""

    labels: np.ndarray
    bodies: np.ndarray


def record_path(place: str, token: int) -> str:
    """The file of a record. place: its folder, the box and what was read there (`folder.seen`)."""
    return f"{place}.{token:016x}.npz"


def write_record(place: str, token: int, seen: Seen) -> None:
    """Write what a job has seen; replaces all records of the same box."""
    target = Path(record_path(place, token))
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, labels=seen.labels, bodies=seen.bodies)
    for other in target.parent.glob(f"{target.name.split('.')[0]}.*.npz"):
        if other != target:
            other.unlink(missing_ok=True)


def tokens_in(folder: Path) -> dict[str, list[int]]:
    """The tokens of all records in a folder, by the name of their place."""
    found: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.*.*.npz")):
        place, token, _ = path.name.rsplit(".", 2)
        found.setdefault(place, []).append(int(token, 16))
    return found


def read_record(place: str, token: int) -> Seen | None:
    """A record; None if it is not there or not sound."""
    try:
        with np.load(record_path(place, token)) as found:
            seen = Seen(found["labels"], found["bodies"])
    except BAD_NPZ:
        return None
    return seen if seen.labels.shape == seen.bodies.shape else None
