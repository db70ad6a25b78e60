"""Labels of a box of a level, as they are meshed and measured. Everything is z y x."""

from collections.abc import Sequence

import numpy as np
import tensorstore as ts

from snakemesh.boxes import slices
from snakemesh.job_records import LevelPart
from snakemesh.label_values import as_labels, one_body
from snakemesh.source.voxels import unreadable
from snakemesh.tables.mapping import Mapper


def read_labels(
    store: ts.TensorStore,
    reads: LevelPart,
    low: Sequence[int],
    high: Sequence[int],
    mapper: Mapper | None,
) -> np.ndarray:
    """The labels from voxel `low` up to `high` of the part that is meshed; bodies with a mapper.

    store: `reads`, opened. Raises UnreadableError for a broken chunk and UserError for a negative
    label.
    """
    box = slices(low, high)
    try:
        voxels = store[box].read().result()
    except (ValueError, OSError) as error:
        raise unreadable(error, box) from error
    labels = as_labels(voxels, reads.values, list(low))
    if mapper is not None:
        labels = mapper(labels)
    if reads.values.is_one_body:
        labels = one_body(labels)
    return np.ascontiguousarray(labels)
