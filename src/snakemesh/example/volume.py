"""The embedded example: a small synthetic segmentation that looks like neuropil, as a zarr group.

The Snakefile imports this module at every parse, so importing it must be cheap.
"""

import os
import shutil
from pathlib import Path

import numpy as np

from snakemesh.errors import UserError

# All triples are z, y, x. On purpose the shape is no multiple of the chunks, and z is coarser than
# y and x.
EXAMPLE_SHAPE = (160, 384, 256)
EXAMPLE_VOXEL_SIZE = (20.0, 8.0, 8.0)  # nm
# The centre of voxel 0 in nm. Its lower corner is 1000, 2000, 3000.
EXAMPLE_TRANSLATION = (1010.0, 2004.0, 3004.0)
EXAMPLE_CHUNKS = (48, 40, 48)
EXAMPLE_DTYPE = "uint64"


def example_labels() -> np.ndarray:
    """Make the voxels of the example: EXAMPLE_DTYPE of shape EXAMPLE_SHAPE, z y x, background 0.

    The result is the same on every machine. It takes a second.
    """
    from snakemesh.example.neuropil import neuropil

    return neuropil(EXAMPLE_SHAPE)


def write_example(path: str) -> None:
    """Write the example to `path`: a group of OME-NGFF 0.4 (zarr v2) with one array, `s0`.

    The group appears whole or not at all: it is written beside `path`, then renamed. What a killed
    run left beside `path` is removed first. Nothing is overwritten: raises UserError if there is
    already something at `path`, except an empty folder.
    """
    target = Path(path)
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UserError(
            f"{path} already exists, expected nothing there to write the example to: "
            "delete it, or change input_path"
        )
    unfinished = target.with_name(f".{target.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    target.parent.mkdir(parents=True, exist_ok=True)
    _write_group(unfinished, example_labels())
    os.replace(unfinished, target)


def _write_group(group: Path, labels: np.ndarray) -> None:
    # here, because these import tensorstore, and the constants must be cheap
    import worldarray

    from snakemesh.source.zarr_documents import array_documents, group_documents

    s0 = group / "s0"
    s0.mkdir(parents=True)
    levels = [("s0", EXAMPLE_VOXEL_SIZE, EXAMPLE_TRANSLATION)]
    for name, document in group_documents("zarr2", levels).items():
        (group / name).write_bytes(document)
    array = array_documents("zarr2", EXAMPLE_SHAPE, EXAMPLE_DTYPE, EXAMPLE_CHUNKS)
    for name, document in array.items():
        (s0 / name).write_bytes(document)
    worldarray.open(str(s0), mode="r+").write_index((0, 0, 0), EXAMPLE_SHAPE, labels)
