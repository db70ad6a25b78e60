"""The embedded example: a small synthetic segmentation that looks like neuropil, as a zarr group.

Importing this module is cheap (constants only): the Snakefile reads it at every parse. The voxels
come from ``example_volume``, which needs numba.
"""

import os
import shutil
from pathlib import Path

import numpy as np

from snakemesh.errors import UserError

# All in z y x. Shapes are deliberately no multiples of the chunk, and z is coarser than y and x.
EXAMPLE_SHAPE = (160, 384, 320)
EXAMPLE_VOXEL_SIZE = (20.0, 8.0, 8.0)  # nm
EXAMPLE_TRANSLATION = (1010.0, 2004.0, 3004.0)  # nm, the centre of voxel 0: corner 1000, 2000, 3000
EXAMPLE_CHUNKS = (32, 40, 32)
EXAMPLE_DTYPE = "uint64"


def example_labels() -> np.ndarray:
    """The example's voxels, ``EXAMPLE_SHAPE`` (z y x) of ``EXAMPLE_DTYPE``, 0 for background.

    The same bytes on every machine and for every number of threads; takes a few seconds.
    """
    from snakemesh.example.neuropil import neuropil

    return neuropil(EXAMPLE_SHAPE)


def write_example(path: str) -> None:
    """Write the example as the OME-NGFF 0.4 (zarr v2) group ``path`` with the one array ``s0``.

    Whole or nothing: it is written beside ``path`` and renamed, and what a killed run left there is
    removed. Raises ``UserError`` when ``path`` already holds something: nothing is overwritten.
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
    import worldarray  # opens tensorstore: not for whoever wants the constants

    s0 = worldarray.create(
        str(group / "s0"),
        EXAMPLE_SHAPE,
        EXAMPLE_DTYPE,
        EXAMPLE_VOXEL_SIZE,
        EXAMPLE_TRANSLATION,
        axes=("z", "y", "x"),
        units="nanometer",
        chunks=EXAMPLE_CHUNKS,
        codecs="zstd",
        format="zarr2",
        separator="/",
    )
    s0.write_index((0, 0, 0), EXAMPLE_SHAPE, labels)
