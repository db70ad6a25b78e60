"""Opening and reading arrays of labels. Arrays are z y x."""

import numpy as np
import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import Slices, slices
from snakemesh.errors import UserError
from snakemesh.job_records import LevelPart

# The drivers of tensorstore that can tell whether a chunk is stored. For precomputed volumes,
# tensorstore 0.1.86 looks for the wrong files.
_DRIVERS_THAT_TELL = ("zarr", "zarr3", "n5")


def open_labels(path: str, name: str | None = None) -> ts.TensorStore:
    """Open an array of labels, z y x, with its first voxel at 0.

    path, name: the array; the name only where one path holds several (precomputed). Axes in front
    of the last three have length 1 (`plan.source` checks this), and are dropped.
    """
    store: ts.TensorStore = wa.open_tensorstore(path, level=name)
    return store[(0,) * (store.ndim - 3)] if store.ndim > 3 else store


def open_part(part: LevelPart) -> ts.TensorStore:
    """Open the part of a level that is meshed, z y x, with its first voxel at 0."""
    store = open_labels(part.path, part.name)
    end = [o + n for o, n in zip(part.origin, part.shape, strict=True)]
    return store[slices(part.origin, end)][ts.d[:].translate_to[0]]


def is_background(store: ts.TensorStore) -> bool:
    """Whether no chunk of an array, or of a box of one, is stored, so that every voxel is 0.

    This looks for the files of the chunks and reads no voxel. Some arrays cannot be asked cheaply,
    and are taken to be stored: remote ones, precomputed volumes, and those whose background is
    not 0.
    """
    spec = store.spec().to_json()
    if spec["driver"] not in _DRIVERS_THAT_TELL or spec["kvstore"]["driver"] != "file":
        return False
    if store.fill_value is not None and store.fill_value != 0:
        return False
    return bool(store.storage_statistics(query_not_stored=True).result().not_stored)


def unreadable(error: Exception, box: Slices) -> UserError:
    """The error to raise when voxels cannot be read, because a chunk is broken.

    error: from tensorstore; it names the file. box: z y x, in voxels of the part that is meshed.
    """
    voxels = f"{[side.start for side in box]} to {[side.stop for side in box]}"
    reason = " ".join(str(error).split()).split(" [source locations=")[0]
    return UserError(
        f"the volume cannot be read at voxels {voxels} (z y x) of what is meshed: {reason}"
    )


def unsigned(labels: np.ndarray) -> np.ndarray:
    """Labels as unsigned integers of the same width, without a copy.

    Raises UserError if one is negative.
    """
    if labels.dtype.kind == "i":
        if labels.size and labels.min() < 0:
            raise UserError(
                f"config key input_path: found label {labels.min()}, labels cannot be negative"
            )
        return labels.view(f"u{labels.dtype.itemsize}")
    return labels
