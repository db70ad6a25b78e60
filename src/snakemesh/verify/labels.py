"""Which labels must have a mesh, and which key leaves out the others."""

from collections.abc import Sequence

import numpy as np

from snakemesh.label_list import LIST_KEYS

# The key that leaves out a label; the first entry for a label that must have a mesh.
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


def without_listed(labels: np.ndarray, lists: Sequence[np.ndarray | None]) -> np.ndarray:
    """Labels of any shape, with 0 for those that the lists leave out. lists: as for `reasons`."""
    targets, excluded = lists
    names, at = np.unique(labels, return_inverse=True)
    is_out = np.zeros(len(names), bool)
    if excluded is not None:
        is_out |= np.isin(names, excluded)
    if targets is not None:
        is_out |= ~np.isin(names, targets)
    names[is_out] = 0
    return names[at].reshape(labels.shape)


def by_reason(found: np.ndarray) -> dict[str, int]:
    """How many labels each key leaves out. found: what `reasons` returns."""
    number = np.bincount(found, minlength=len(REASONS)).tolist()
    return dict(zip(REASONS[1:], number[1:], strict=True))
