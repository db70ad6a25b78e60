"""Whether the table of contacts is in order, and what it says of some labels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.job_records import VerifyJob
from snakemesh.verify.failures import Failures
from snakemesh.verify.labels import places
from snakemesh.verify.small_bodies import Contact

_COLUMNS = ("label_1", "label_2", "area", "patches", "x", "y", "z", "faces")
# The area of a smoothed wall as a part of that of its voxel faces, at most.
_MOST_AREA = 1.5
# How far the centre of a patch may be off, in voxels, and as a part of its distance from 0.
_CENTRE, _FAR = 1e-6, 1e-12
# A row of the table. centre: x y z in nm.
ROW = np.dtype(
    [
        *((name, "<u8") for name in ("label_1", "label_2", "patches", "faces")),
        ("area", "<f8"),
        ("centre", "<f8", (3,)),
    ]
)


def contacts_of(
    path: Path, known: np.ndarray, labels: np.ndarray, voxel_nm: np.ndarray, failures: Failures
) -> tuple[np.ndarray, np.ndarray]:
    """The rows (ROW) of some labels, and how many neighbours each known label has, (n,) int64.

    A group of rows is read at a time, and each row is checked: labels ascend and have a mesh, and
    numbers are possible. known: the labels that have a mesh, ascending. labels: some of them.
    voxel_nm: (3,). Raises what pyarrow raises if the table cannot be read.
    """
    file = pq.ParquetFile(path)
    neighbours, found = np.zeros(len(known), np.int64), [np.zeros(0, ROW)]
    largest = _MOST_AREA * np.prod(voxel_nm) / voxel_nm.min()
    last = (-1, -1)
    for i in range(file.num_row_groups):
        rows = _rows(file.read_row_group(i, list(_COLUMNS)))
        if not len(rows):
            continue
        one, other = rows["label_1"], rows["label_2"]
        begin = int(one[0]), int(other[0])
        rises = (one[1:] > one[:-1]) | ((one[1:] == one[:-1]) & (other[1:] > other[:-1]))
        if begin <= last or not rises.all():
            failures.add("properties", f"{path.name}: its labels do not ascend")
        last = int(one[-1]), int(other[-1])
        (at, is_known), (at_other, is_other) = places(known, one), places(known, other)
        wrong = ~is_known | ~(is_other | (other == 0)) | ((other <= one) & (other > 0))
        wrong |= (rows["patches"] < 1) | (rows["patches"] > rows["faces"])
        wrong |= ~((rows["area"] >= 0) & (rows["area"] <= largest * rows["faces"]))
        wrong |= ~np.isfinite(rows["centre"]).all(axis=1)
        for row in rows[wrong]:
            failures.add("properties", f"{path.name} has an impossible row: {_said(row)}")
        both = is_known & is_other
        np.add.at(neighbours, at[both], 1)
        np.add.at(neighbours, at_other[both], 1)
        found.append(rows[np.isin(one, labels) | np.isin(other, labels)])
    return np.concatenate(found), neighbours


def wrong_contacts(
    label: int, begin: np.ndarray, job: VerifyJob, expected: dict[int, Contact], rows: np.ndarray
) -> Iterator[str]:
    """What is wrong with the contacts of a body, in words.

    begin: the first voxel of its box, z y x. expected: by the other label. rows: ROW.
    """
    corner, voxel = np.array(job.grid.origin_nm), np.array(job.voxel_nm)
    is_first = rows["label_1"] == label
    ours = rows[is_first | (rows["label_2"] == label)]
    others = np.where(ours["label_1"] == label, ours["label_2"], ours["label_1"]).tolist()
    for other in sorted(expected.keys() - set(others)):
        yield f"touches label {other}, which contacts.parquet does not say"
    for other, row in zip(others, ours, strict=True):
        said = f"contacts.parquet has with label {other}"
        if other not in expected:
            yield f"{said} a contact, and its voxels have none"
            continue
        faces, patches, centres = expected[other]
        for name, number in (("faces", faces), ("patches", patches)):
            if row[name] != number:
                yield f"{said} {name} {row[name]}, its voxels {number}"
        nm = corner + (begin + centres)[:, ::-1] * voxel
        is_near = np.abs(nm - row["centre"]) <= _CENTRE * voxel + _FAR * np.abs(nm)
        if not is_near.all(axis=1).any():
            yield f"{said} a patch at {row['centre'].tolist()} nm, where its voxels have none"


def _rows(table: pa.Table) -> np.ndarray:
    rows = np.zeros(len(table), ROW)
    for name in ("label_1", "label_2", "patches", "faces", "area"):
        rows[name] = table[name].to_numpy()
    for axis, name in enumerate("xyz"):
        rows["centre"][:, axis] = table[name].to_numpy()
    return rows


def _said(row: np.void) -> str:
    numbers = ", ".join(f"{name} {row[name]}" for name in ("patches", "faces", "area"))
    return f"labels {row['label_1']} and {row['label_2']}, {numbers}"
