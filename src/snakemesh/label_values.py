"""From stored values to labels, which are unsigned and 0 for background. Arrays are z y x."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.errors import UserError


@dataclass(frozen=True)
class LabelValues:
    """What the values of a stored array mean.

    background: the values that stand for background; 0 always does. is_one_body: whether all labels
    together are one body (`one_body`).
    """

    background: tuple[int, ...] = (0,)
    is_one_body: bool = False


# Values that are labels as they are.
LABELS = LabelValues()


def label_type(stored: str) -> str | None:
    """The type of the labels of an array of this type; None if its values cannot be labels.

    stored: as numpy names it, if it knows the type. Labels of signed integers keep that type: none
    is negative.
    """
    try:
        dtype = np.dtype(stored)
    except TypeError:
        return None
    if dtype.kind == "b":
        return "uint8"
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return "uint64" if dtype.itemsize == 8 else "uint32"
    return dtype.name if dtype.kind in "ui" else None


def as_labels(
    voxels: np.ndarray, values: LabelValues = LABELS, corner: Sequence[int] = (0, 0, 0)
) -> np.ndarray:
    """The labels of voxels, unsigned. There is no copy if the values are whole and none changes.

    voxels: bool, integers or floats, z y x. corner: where the first of them lies, for messages.
    Raises UserError for a value that is no label: one that is negative and not in `background`, or
    not a whole number.
    """
    if voxels.dtype.kind == "b":
        voxels = voxels.view(np.uint8)
    for value in values.background:
        if value != 0:
            voxels = np.where(voxels == value, voxels.dtype.type(0), voxels)
    return _unsigned(voxels, corner)


def one_body(labels: np.ndarray) -> np.ndarray:
    """Label 1 wherever there is a label."""
    found: np.ndarray = (labels != 0).astype(labels.dtype)
    return found


def _unsigned(voxels: np.ndarray, corner: Sequence[int]) -> np.ndarray:
    kind, size = voxels.dtype.kind, voxels.dtype.itemsize
    if kind == "f":
        return _whole_numbers(voxels, corner)
    if kind == "i":
        if voxels.size and (least := voxels.min()) < 0:
            raise UserError(
                f"config key background: found label {least} at {_place(voxels == least, corner)}, "
                "labels cannot be negative; if it means background, set the key to "
                f"[{least}, 0]"
            )
        return voxels.view(f"u{size}")
    return voxels


def _whole_numbers(voxels: np.ndarray, corner: Sequence[int]) -> np.ndarray:
    dtype = np.dtype(label_type(voxels.dtype.name))
    # numbers that the type cannot hold become others, which differ from them
    with np.errstate(invalid="ignore"):
        labels = voxels.astype(dtype)
    wrong = labels != voxels
    if wrong.any():
        place = _place(wrong, corner)
        value = voxels[wrong][0]
        background = (
            f"; if it means background, set the config key background to [{int(value)}, 0]"
            if np.isfinite(value) and value < 0 and float(value).is_integer()
            else ""
        )
        raise UserError(
            f"config key input_path: found {value} at {place}, labels are whole numbers from 0 to "
            f"{np.iinfo(dtype).max}{background}"
        )
    return labels


def _place(found: np.ndarray, corner: Sequence[int]) -> str:
    """Where the first true voxel lies."""
    index = np.unravel_index(int(np.argmax(found)), found.shape)
    at = [int(i) + c for i, c in zip(index, corner, strict=True)]
    return f"voxel {at} (z y x) of the meshed volume"
