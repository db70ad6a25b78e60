"""Opening levels, whether they are of the source or built. Arrays are z y x."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import Slices, slices
from snakemesh.errors import DamagedError, UserError, one_line
from snakemesh.job_records import LevelPart
from snakemesh.label_values import LABELS, LabelValues
from snakemesh.source.open_array import open_stored

# The drivers of tensorstore that can tell whether a chunk is stored. For precomputed volumes,
# tensorstore 0.1.86 looks for the wrong files.
_DRIVERS_THAT_TELL = ("zarr", "zarr3", "n5")


def open_part(part: LevelPart) -> ts.TensorStore:
    """Open the part of a level that is meshed, z y x, with its first voxel at 0.

    Its values are those that are stored: `as_labels` makes labels of them.
    """
    store: ts.TensorStore = (
        wa.open_tensorstore(part.path, level=part.name)
        if part.stored is None
        else open_stored(part.stored)
    )
    end = [o + n for o, n in zip(part.origin, part.shape, strict=True)]
    placed: ts.TensorStore = store[slices(part.origin, end)][ts.d[:].translate_to[0]]
    return placed


def can_tell_stored(store: ts.TensorStore) -> bool:
    """Whether an array can be asked cheaply which of its chunks are stored."""
    if store.kvstore is None:
        # what reads its chunks is a function
        return False
    spec = store.spec().to_json()
    return spec["driver"] in _DRIVERS_THAT_TELL and spec["kvstore"]["driver"] == "file"


def is_background(store: ts.TensorStore, values: LabelValues = LABELS) -> bool:
    """Whether no chunk of an array, or of a box of one, is stored, so that all is background.

    This looks for the files of the chunks and reads no voxel. Arrays that cannot tell cheaply count
    as stored: remote ones, precomputed volumes, and those whose fill value is a label.
    """
    if not can_tell_stored(store):
        return False
    if store.fill_value is not None and store.fill_value not in (0, *values.background):
        return False
    return bool(store.storage_statistics(query_not_stored=True).result().not_stored)


class UnreadableError(UserError):
    """Voxels cannot be read, because a chunk is broken."""


@contextmanager
def reading_part(part: LevelPart) -> Iterator[None]:
    """Say whether a broken chunk belongs to the user's data or to a level that a run has built."""
    try:
        yield
    except UnreadableError as error:
        if part.is_built:
            raise DamagedError(Path(part.path), f"cannot be read ({error})") from error
        raise


def unreadable(error: Exception, box: Slices) -> UnreadableError:
    """The error to raise when voxels cannot be read, because a chunk is broken.

    error: from tensorstore; it names the file. box: z y x, in voxels of the part that is meshed.
    """
    voxels = f"{[side.start for side in box]} to {[side.stop for side in box]}"
    return UnreadableError(
        f"the volume cannot be read at voxels {voxels} (z y x, of the meshed volume): "
        f"{one_line(error)}"
    )
