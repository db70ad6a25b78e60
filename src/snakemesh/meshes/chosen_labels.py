"""Which labels a user means by `--ids` or by `--where`."""

import os
import re

import numpy as np

from snakemesh.errors import UserError
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.segment_table import table_labels
from snakemesh.output.folder import SEGMENTS

MAX_LABEL = (1 << 64) - 1


def named_labels(text: str) -> np.ndarray | None:
    """The labels that `--ids` means, uint64, ascending, none twice; None for all.

    text: "all", labels with commas or blanks between them, or the path of a table. Raises
    UserError.
    """
    if text == "all":
        return None
    parts = text.replace(",", " ").split()
    if parts and all(re.fullmatch("[0-9]+", part) for part in parts):
        for part in parts:
            if not 1 <= int(part[:30]) <= MAX_LABEL:
                raise UserError(f"--ids: found {part}, expected ids from 1 to {MAX_LABEL}")
        labels = np.array([int(part) for part in parts], np.uint64)
    elif os.path.exists(text):
        from snakemesh.tables.read import read_labels

        labels = read_labels("--ids", text)
    else:
        expected = "ids such as 17,4711, all, or a CSV or Parquet file that lists them"
        raise UserError(f"--ids: found '{text}', expected {expected}")
    if not len(labels):
        raise UserError(f"--ids: {text} lists no ids")
    return np.unique(labels)


def labels_where(folder: MeshFolder, condition: str) -> np.ndarray:
    """The labels whose row of `segments.parquet` meets a condition, uint64, ascending.

    condition: as of `snakemesh.tables.condition`. Raises UserError, also if no row meets it.
    """
    labels = table_labels(folder, condition)
    if labels is None:
        raise UserError(f"--where needs {folder.where}/{SEGMENTS}, which a run writes at its end")
    if not len(labels):
        raise UserError(f"--where: no segment of {folder.where} meets '{condition}'")
    return labels
