"""Downsampling labels: every level of a stage from one look at its full-resolution voxels.

This module says which voxels vote and by which method; `vote` counts.

Arrays are z y x. A cube that the end of the block cuts votes over the voxels that exist.
"""

from collections.abc import Sequence

import numpy as np

from snakemesh.boxes import Shape
from snakemesh.job_records import MAX_STAGE_FACTOR
from snakemesh.pyramid.vote import Levels, vote_block

METHODS = ("mode", "mode_suppress_zero", "binary", "nearest")


def downsample(block: np.ndarray, steps: Sequence[Shape], method: str) -> list[np.ndarray]:
    """Every level of ``block`` at once, by ``method``.

    ``block`` holds integer labels, z y x, of any size; it starts on a multiple of the largest
    factor. ``steps`` holds the factor (1 or 2 on each axis) of each level from the one before,
    at most 8 on an axis in all. Level k has ``ceil(n / F_k)`` voxels on each axis, F_k the
    product of its steps, and the block's dtype. Signed labels are ordered as the unsigned
    number of the same bits. The arrays may share memory with each other.

    - ``mode``: the most frequent label of the cube, of equals the smallest;
    - ``mode_suppress_zero``: the same, but 0 wins only where there is nothing else;
    - ``binary``: 1 where more than half of the voxels are not 0, else 0;
    - ``nearest``: the voxel at the cube's first corner.

    ValueError: an unknown method, labels that are not integers, steps out of range.
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
    if method not in METHODS:
        raise ValueError(f"downsampling method {method!r}, expected one of {', '.join(METHODS)}")
    if block.ndim != 3 or block.dtype.kind not in "iu":
        raise ValueError(f"expected integer labels z y x, found {block.ndim}-D {block.dtype}")
    all_steps = np.array([(1, 1, 1), *steps], np.int64)
    factors = np.cumprod(all_steps, axis=0)
    if (
        len(steps) == 0
        or all_steps.min() < 1
        or all_steps.max() > 2
        or factors.max() > MAX_STAGE_FACTOR
    ):
        raise ValueError(
            f"steps {steps}: expected factors 1 or 2, at most {MAX_STAGE_FACTOR} on an axis"
        )
    shapes = -(-np.array(block.shape, np.int64) // factors)
    starts = np.cumsum([0, *shapes[1:].prod(axis=1)])
    return Levels(all_steps, factors, shapes, starts)


def _kernel_labels(block: np.ndarray, method: str) -> np.ndarray:
    """``block`` as the C-contiguous uint32 or uint64 array that the kernel votes on."""
    if method == "binary":  # a strict majority is the mode of {0, 1}, where 0 wins ties
        return (block != 0).astype(np.uint32)
    wide = np.uint64 if block.dtype.itemsize == 8 else np.uint32
    unsigned = block.view(f"{block.dtype.byteorder}u{block.dtype.itemsize}")
    return np.ascontiguousarray(unsigned, dtype=wide)
