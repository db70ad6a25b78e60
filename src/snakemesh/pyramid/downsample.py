"""Downsampling labels: every level of a stage from one pass over the voxels of its base.

A voxel of a level covers a cube of voxels of the base, and these vote on its label. This module
says which voxels vote and by which method; `vote` counts the votes.

Arrays are z y x. If the end of the block cuts a cube, the voxels that exist vote.
"""

from collections.abc import Sequence

import numpy as np

from snakemesh.boxes import Shape
from snakemesh.job_records import MAX_STAGE_FACTOR
from snakemesh.pyramid.vote import Levels, vote_block

# Factor of a level over the one before, on an axis.
MAX_LEVEL_FACTOR = 2
METHODS = ("mode", "mode_suppress_zero", "binary", "nearest")


def downsample(block: np.ndarray, steps: Sequence[Shape], method: str) -> list[np.ndarray]:
    """Downsample labels to every level of a stage at once.

    block: z y x, integer labels, of any size; it starts on a multiple of the largest factor.
    steps: for each level its factor z y x over the one before, 1 or 2 on each axis; the product of
    all is at most 8 on an axis. method: one of

    - `mode`: the most frequent label of the cube, and of equally frequent ones the smallest;
    - `mode_suppress_zero`: the same, but 0 wins only if the cube holds nothing else;
    - `binary`: 1 where more than half of the voxels are not 0, else 0;
    - `nearest`: the voxel at the first corner of the cube.

    Returns one array for each level, z y x, of the dtype of the block. A block of n voxels on an
    axis gives `ceil(n / F)`, where F is the product of the steps up to this level. The arrays may
    share memory with each other. Signed labels are compared as the unsigned numbers of the same
    bits.

    Raises ValueError for an unknown method, labels that are not three-dimensional integers, and
    steps out of range.
    """
    levels = _levels(block, steps, method)
    if method == "nearest":
        return [np.ascontiguousarray(block[::z, ::y, ::x]) for z, y, x in levels.factors[1:]]
    labels = _kernel_labels(block, method)
    out = np.empty(levels.starts[-1], labels.dtype)
    vote_block(labels, levels, method != "mode_suppress_zero", out)
    out = out.astype(block.dtype.newbyteorder("="), copy=False)
    starts = levels.starts
    return [
        out[starts[k] : starts[k + 1]].reshape(shape) for k, shape in enumerate(levels.shapes[1:])
    ]


def _levels(block: np.ndarray, steps: Sequence[Shape], method: str) -> Levels:
    """What `vote` needs to know of the levels, after checking the arguments of `downsample`."""
    if method not in METHODS:
        raise ValueError(f"downsampling method {method!r}, expected one of {', '.join(METHODS)}")
    if block.ndim != 3 or block.dtype.kind not in "iu":
        raise ValueError(f"expected integer labels z y x, found {block.ndim}-D {block.dtype}")
    all_steps = np.array([(1, 1, 1), *steps], np.int64)
    factors = np.cumprod(all_steps, axis=0)
    if (
        len(steps) == 0
        or all_steps.min() < 1
        or all_steps.max() > MAX_LEVEL_FACTOR
        or factors.max() > MAX_STAGE_FACTOR
    ):
        raise ValueError(
            f"steps {steps}: expected factors 1 or 2, at most {MAX_STAGE_FACTOR} on an axis"
        )
    shapes = -(-np.array(block.shape, np.int64) // factors)
    starts = np.cumsum([0, *shapes[1:].prod(axis=1)])
    return Levels(all_steps, factors, shapes, starts)


def _kernel_labels(block: np.ndarray, method: str) -> np.ndarray:
    """The labels as the C-contiguous uint32 or uint64 array that `vote` works on."""
    if method == "binary":
        # a label has the majority where it is the mode of 0 and 1, since 0 wins a tie
        is_label: np.ndarray = block != 0
        return is_label.astype(np.uint32)
    wide = np.uint64 if block.dtype.itemsize == 8 else np.uint32
    unsigned = block.view(f"{block.dtype.byteorder}u{block.dtype.itemsize}")
    labels: np.ndarray = np.ascontiguousarray(unsigned, dtype=wide)
    return labels
