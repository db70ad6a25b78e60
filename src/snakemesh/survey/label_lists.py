"""The labels that `target_ids` and `exclude_ids` list, read once, by the run that plans.

Jobs read them from files in the work folder: no list is part of a job, however long it is.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snakemesh.config.settings import Settings
from snakemesh.errors import UserError
from snakemesh.label_list import LIST_KEYS, LabelList, LabelLists, digest_of
from snakemesh.output.atomic import write_array
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.plan import Plan
from snakemesh.units import counted


@dataclass(frozen=True)
class Listed:
    """The labels of a list: uint64, ascending, none twice. n_again: how many were given again."""

    labels: np.ndarray
    n_again: int


def read_lists(settings: Settings, dtype: str) -> dict[str, Listed]:
    """By key of the configuration, the labels that it lists. dtype: of the levels (`Plan.dtype`).

    Raises UserError for a file that cannot be read, an empty list, a label that no voxel can have,
    and lists that leave no label.
    """
    lists = {
        key: _read(key, given, dtype)
        for key in LIST_KEYS
        if (given := getattr(settings, key)) is not None
    }
    if len(lists) == len(LIST_KEYS) and len(_in_both(lists)) == len(lists["target_ids"].labels):
        raise UserError("config key exclude_ids: found all labels of target_ids, no label is left")
    return lists


def label_files(plan: Plan, lists: Mapping[str, Listed]) -> LabelLists:
    """The files of the labels that all jobs share."""
    return label_files_of(plan, {key: digest_of(found.labels) for key, found in lists.items()})


def label_files_of(plan: Plan, digests: Mapping[str, str]) -> LabelLists:
    """The same, where only the digests of the labels are known, by key."""
    folder = OutputFolder(os.path.normpath(plan.settings.output_directory))
    target, exclude = (
        LabelList(folder.label_list(key), digests[key]) if key in digests else None
        for key in LIST_KEYS
    )
    return target, exclude


def write_lists(files: LabelLists, lists: Mapping[str, Listed]) -> None:
    """Write the files that `label_files` names."""
    for key, file in zip(LIST_KEYS, files, strict=True):
        if file is not None:
            write_array(file.path, lists[key].labels)


def list_remarks(settings: Settings, lists: Mapping[str, Listed]) -> list[str]:
    """Lines of the plan that say which labels are meshed."""
    lines = []
    for key, listed in lists.items():
        again = f" ({listed.n_again:,} given more than once)" if listed.n_again else ""
        lines.append(f"  labels   {counted(len(listed.labels), 'label')} in {key}{again}")
    if n := len(_in_both(lists)):
        lines.append(
            f"  labels   without {counted(n, 'label')} of target_ids that exclude_ids has too"
        )
    if settings.min_voxels:
        lines.append(f"  labels   with fewer than {settings.min_voxels:,} voxels are left out")
    return lines


def _read(key: str, given: tuple[int, ...] | str, dtype: str) -> Listed:
    if isinstance(given, str):
        # pyarrow is not imported where no table is read
        from snakemesh.tables.read import read_labels

        found, place = read_labels(key, given), f" in {given}"
    else:
        found, place = np.array(given, np.uint64), ""
    if not len(found):
        raise UserError(f"config key {key}: found no label{place}, expected at least one")
    labels = np.unique(found)
    largest = int(np.iinfo(dtype).max)
    if labels[-1] > largest:
        raise UserError(
            f"config key {key}: found {labels[-1]}{place}, the labels are {dtype}, at most "
            f"{largest}"
        )
    return Listed(labels, len(found) - len(labels))


def _in_both(lists: Mapping[str, Listed]) -> np.ndarray:
    if len(lists) < len(LIST_KEYS):
        return np.zeros(0, np.uint64)
    target, exclude = (lists[key].labels for key in LIST_KEYS)
    return np.intersect1d(target, exclude, assume_unique=True)
