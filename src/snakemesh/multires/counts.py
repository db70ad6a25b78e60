"""How many voxels of s0 the labels have, and why labels are left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from snakemesh.ascending import find
from snakemesh.fragments.container import COUNT, read_counts
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.label_list import LIST_KEYS

# How many labels of target_ids that do not occur are named.
MAX_NAMED = 5


def merged(counts: np.ndarray) -> np.ndarray:
    """One row for each label, in ascending order, with the sums of its voxels and moments.

    counts: COUNT of shape (n,), in which labels are more than once. The cell is that of one of
    them.
    """
    counts = counts[np.argsort(counts["label"], kind="stable")]
    first = np.flatnonzero(np.diff(counts["label"], prepend=~counts["label"][:1]))
    found = counts[first].copy()
    if len(first):
        found["voxels"] = np.add.reduceat(counts["voxels"], first)
        found["moment"] = np.add.reduceat(counts["moment"], first)
    return found


def label_counts(container_paths: Sequence[str], shard: int) -> np.ndarray:
    """The voxels of every label of a shard, in all of the volume: COUNT, one row per label.

    Only containers of LOD 0 count. Raises DamagedError for the container that is gone or damaged.
    """
    parts = (read_counts(path, shard, lod=0) for path in container_paths)
    return merged(np.concatenate([np.empty(0, COUNT), *parts]))


def voxels_of(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The voxels of some labels, uint64 of shape (n,). counts: COUNT, of ascending labels."""
    return _rows_of(labels, counts)["voxels"]


def centroids_of(labels: np.ndarray, counts: np.ndarray, grid: OctreeGrid) -> np.ndarray:
    """The means of the centres of some labels' voxels, x y z in nm, float64 of shape (n, 3).

    counts: COUNT, of ascending labels. NaN for a label without voxels.
    """
    found = _rows_of(labels, counts)
    voxels = found["voxels"].astype(np.float64)[:, None]
    cells = np.full((len(labels), 3), np.nan)
    np.divide(found["moment"], voxels, out=cells, where=voxels > 0)
    return np.asarray(np.array(grid.origin_nm) + np.array(grid.cell_nm) * cells)


def _rows_of(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The counts of some labels, COUNT of shape (n,); all 0 for a label without."""
    at, is_there = find(counts["label"], labels)
    found = np.zeros(len(labels), COUNT)
    found[is_there] = counts[at[is_there]]
    return found


def left_out(counts: np.ndarray, min_voxels: int) -> dict[str, int]:
    """By key of the configuration, how many labels it leaves out.

    counts: COUNT, one row per label. min_voxels: labels of fewer voxels are left out.
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
