"""How many voxels of s0 the labels have, and why labels are left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from snakemesh.ascending import find
from snakemesh.fragments.container import CONTACTS, COUNTS, NO_COUNTS, SECOND_UNIT, opened, rows_of
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.label_list import LIST_KEYS

# How many labels of target_ids that do not occur are named.
MAX_NAMED = 5
# The sums of COUNT over all cells of a label. cell: the lowest one on each axis. moment: as of
# COUNT. second: the same integrals, from the lower corner of that cell, in cells^2.
TOTAL = np.dtype(
    [
        ("label", "<u8"),
        ("cell", "<u4", (3,)),
        ("voxels", "<u8"),
        ("left_out", "u1"),
        ("moment", "<f8", (3,)),
        ("second", "<f8", (6,)),
        ("border", "<u8"),
    ]
)
NO_TOTALS = np.zeros(0, TOTAL)
# The axes of each second moment, x y z.
AXES_OF_SECOND = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


def merged(counts: np.ndarray) -> np.ndarray:
    """TOTAL of each label, in ascending order. counts: COUNT of shape (n,)."""
    counts = counts[np.argsort(counts["label"], kind="stable")]
    first = np.flatnonzero(np.diff(counts["label"], prepend=~counts["label"][:1]))
    found = np.zeros(len(first), TOTAL)
    for field in ("label", "left_out"):
        found[field] = counts[field][first]
    if len(first):
        found["cell"] = np.minimum.reduceat(counts["cell"], first)
        for field in ("voxels", "moment", "border"):
            found[field] = np.add.reduceat(counts[field], first, dtype=TOTAL[field].base)
        found["second"] = _second_moments(counts, found["cell"], first)
    return found


def _second_moments(counts: np.ndarray, corners: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The second moments of labels about the corners of their lowest cells, (labels, 6) cells^2.

    counts: COUNT by label. corners: the lowest cell of each label, x y z. first: the first row of
    each label. A cell that lies d cells from the corner, with n voxels, first moments m and second
    moments s about its own corner, adds s_ij + d_i m_j + d_j m_i + d_i d_j n (the theorem of
    parallel axes). All of it is summed in whole numbers, so that the order of rows does not matter.
    """
    cells, voxels = counts["cell"].astype(np.int64), counts["voxels"].astype(np.int64)
    d = cells - np.repeat(corners.astype(np.int64), np.diff(first, append=len(counts)), axis=0)
    # first moments in a 2048th of a cell, half a voxel of the largest cell
    m = np.rint((counts["moment"] - cells * voxels[:, None]) * (1 << 11)).astype(np.int64)
    found = np.empty((len(first), 6))
    for pair, (i, j) in enumerate(AXES_OF_SECOND):
        found[:, pair] = _exact_sums(counts["second"][:, pair], first) * SECOND_UNIT
        found[:, pair] += _exact_sums(d[:, i] * m[:, j] + d[:, j] * m[:, i], first) / (1 << 11)
        found[:, pair] += _exact_sums(d[:, i] * d[:, j] * voxels, first)
    return found


def _exact_sums(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The sums of runs of int64 that begin at `first`, each rounded to float64 only at the end."""
    high, low = values >> 32, values & 0xFFFFFFFF
    return np.asarray(np.add.reduceat(high, first) * 2.0**32 + np.add.reduceat(low, first))


def counts_and_contacts(
    container_paths: Sequence[str], shard: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """What is known of the voxels of a shard's labels in all of the volume.

    Returns their TOTAL, one row per label, and the CONTACT of each container of LOD 0 by label.
    Raises DamagedError for the container that is gone or damaged.
    """
    counts, contacts = [NO_COUNTS], []
    for path in container_paths:
        with opened(path) as container:
            if container.table.lod == 0:
                counts.append(rows_of(container, shard, COUNTS))
                contacts.append(rows_of(container, shard, CONTACTS))
    return merged(np.concatenate(counts)), contacts


def centroids(totals: np.ndarray, grid: OctreeGrid) -> np.ndarray:
    """The means of the centres of labels' voxels, x y z in nm, float64 of shape (n, 3).

    totals: TOTAL. NaN for a label without voxels.
    """
    voxels = totals["voxels"].astype(np.float64)[:, None]
    cells = np.full((len(totals), 3), np.nan)
    np.divide(totals["moment"], voxels, out=cells, where=voxels > 0)
    return np.asarray(np.array(grid.origin_nm) + np.array(grid.cell_nm) * cells)


def totals_of(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """TOTAL of some labels, shape (n,); all 0 for a label without. counts: as `merged` has them."""
    at, is_there = find(counts["label"], labels)
    found = np.zeros(len(labels), TOTAL)
    found[is_there] = counts[at[is_there]]
    return found


def left_out(counts: np.ndarray, min_voxels: int) -> dict[str, int]:
    """By key of the configuration, how many labels it leaves out.

    counts: TOTAL, one row per label. min_voxels: labels of fewer voxels are left out.
    """
    by_key = {
        key: int((counts["left_out"] == number).sum())
        for number, key in enumerate(LIST_KEYS, start=1)
    }
    small = (counts["left_out"] == 0) & (counts["voxels"] < min_voxels)
    return by_key | {"min_voxels": int(small.sum())}


def not_found(
    counts: np.ndarray, targets: np.ndarray, shard: int, sharding: Sharding
) -> tuple[int, list[int]]:
    """How many of the target labels of a shard have no voxel, and the smallest of them."""
    ours = targets[shard_of(targets, sharding) == shard]
    missing = np.setdiff1d(ours, counts["label"], assume_unique=True)
    return len(missing), missing[:MAX_NAMED].tolist()


def totals(facts: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], dict[str, Any]]:
    """The sums, over all shards, of what `left_out` and `not_found` say.

    facts: what the markers of the shards say. Returns the labels that each key leaves out, and of
    the labels that are not found their number and the smallest of them, as texts.
    """
    out: Counter[str] = Counter()
    n_missing = 0
    named: list[int] = []
    for found in facts:
        out.update(found.get("left_out", {}))
        n, smallest = found.get("not_found", (0, []))
        n_missing += n
        named = sorted([*named, *smallest])[:MAX_NAMED]
    return dict(out), {"labels": n_missing, "smallest": list(map(str, named))}
