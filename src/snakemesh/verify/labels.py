"""Which labels are to have a mesh, and why the others are left out."""

from collections.abc import Sequence

import numpy as np

from snakemesh.label_list import LIST_KEYS

# Why a label has no mesh; 0 where it is to have one.
REASONS = ("", *LIST_KEYS, "min_voxels")


def places(ascending: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where labels are among ascending ones, (n,) int64, and which of them are there, (n,) bool."""
    at = np.searchsorted(ascending, labels)
    at[at == len(ascending)] = 0
    return at, ascending[at] == labels if len(ascending) else np.zeros(len(labels), bool)


def reasons(counts: np.ndarray, lists: Sequence[np.ndarray | None], min_voxels: int) -> np.ndarray:
    """The index in REASONS of each label, uint8 of shape (n,).

    counts: voxels.COUNT. lists: the labels of target_ids and of exclude_ids, None for a key that
    lists none.
    """
    targets, excluded = lists
    labels = counts["label"]
    found = np.where(counts["voxels"] < min_voxels, 3, 0).astype(np.uint8)
    if excluded is not None:
        found[np.isin(labels, excluded)] = 2
    if targets is not None:
        found[~np.isin(labels, targets)] = 1
    return found


def by_reason(found: np.ndarray) -> dict[str, int]:
    """How many labels each key leaves out. found: what `reasons` returns."""
    number = np.bincount(found, minlength=len(REASONS)).tolist()
    return dict(zip(REASONS[1:], number[1:], strict=True))
