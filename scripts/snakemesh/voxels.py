"""Opening and reading arrays of labels. Arrays are z y x."""

import numpy as np
import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import Slices, slices
from snakemesh.errors import UserError
from snakemesh.job_records import LevelPart


def open_labels(path: str, name: str | None = None) -> ts.TensorStore:
    """An array of labels, z y x with origin 0; axes of length 1 in front are dropped."""
    store = wa.open_tensorstore(path, level=name)
    return store[(0,) * (store.ndim - 3)] if store.ndim > 3 else store


def open_part(part: LevelPart) -> ts.TensorStore:
    """The part of a level that is meshed, with its first voxel at 0."""
    store = open_labels(part.path, part.name)
    end = [o + n for o, n in zip(part.origin, part.shape, strict=True)]
    return store[slices(part.origin, end)][ts.d[:].translate_to[0]]


def is_background(store: ts.TensorStore) -> bool:
    """Whether nothing of an array, or of a part of one, is stored, so that all of it is 0.

    Asks for the chunks' files, not for their voxels. Some arrays cannot be asked cheaply, and are
    taken to be stored: remote ones, those whose background is not 0, and precomputed volumes, where
    tensorstore 0.1.86 looks for the wrong files.
    """
    spec = store.spec().to_json()
    if spec["driver"] not in ("zarr", "zarr3", "n5") or spec["kvstore"]["driver"] != "file":
        return False
    if store.fill_value is not None and store.fill_value != 0:
        return False
    return store.storage_statistics(query_not_stored=True).result().not_stored


def unreadable(error: Exception, box: Slices) -> UserError:
    """What to say when voxels of a level cannot be read, because a chunk is broken.

    error: tensorstore's, which names the file. box: in voxels of the part that is meshed.
    """
    voxels = f"{[side.start for side in box]} to {[side.stop for side in box]}"
    reason = " ".join(str(error).split()).split(" [source locations=")[0]
    return UserError(
        f"the volume cannot be read at voxels {voxels} (z y x) of what is meshed: {reason}"
    )


def unsigned(labels: np.ndarray) -> np.ndarray:
    """Labels as unsigned integers of the same width, without a copy.

    Raises UserError for negative labels, which are not labels.
    """
    if labels.dtype.kind == "i":
        if labels.size and labels.min() < 0:
            raise UserError(
                f"config key input_path: found label {labels.min()}, labels cannot be negative"
            )
        return labels.view(f"u{labels.dtype.itemsize}")
    return labels
