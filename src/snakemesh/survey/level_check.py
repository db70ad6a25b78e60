"""Whether a volume's own coarser levels show what its s0 shows: a sample of both is compared.

Metadata only say which level an array is. Public volumes have levels whose labels were averaged,
whose writer was interrupted, or that were made from another version of s0. Their meshes would be
wrong without a word. Arrays are z y x.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorstore as ts

from snakemesh.boxes import Shape, Slices, slices, triple
from snakemesh.errors import UserError, one_line
from snakemesh.label_values import LABELS, LabelValues, as_labels
from snakemesh.source.voxels import unreadable
from snakemesh.survey.level_cubes import (
    Extremes,
    compared,
    is_cut,
    lacks_bodies,
    rows_of,
    some_of,
    whole_cubes,
)
from snakemesh.survey.level_sample import (
    BOX_VOXELS,
    box_at,
    box_shape,
    boxes_in_order,
    chunk_of,
    level_box,
    num_boxes,
)
from snakemesh.units import sides

# Boxes that are read at a time, of 16 MB with 64-bit labels.
_AT_ONCE = 8
# Boxes of one value show little and are not counted. At most this many times as many are read.
_PATIENCE = 3
# Where a level is compared with another one than s0, a label may win in a cube without winning in
# any part of it. This is accepted in at most this part of a box.
_MOST_FOREIGN = 0.5
# Labels that a reason names.
_NAMED = 3

# What tensorstore raises for a chunk that is broken or out of reach.
_BROKEN = (ValueError, OSError)


@dataclass
class _Array:
    """An array that is compared. factor: over s0. values: what its values mean.

    whole: its labels, if it is small. reason: what shows that it does not belong to s0.
    """

    store: ts.TensorStore
    factor: Shape
    values: LabelValues
    whole: np.ndarray | None = None
    reason: str | None = None
    extremes: Extremes = field(default_factory=Extremes)

    def over(self, base: "_Array") -> Shape:
        """Its factor over another array."""
        return triple(a // b for a, b in zip(self.factor, base.factor, strict=True))

    def start_reading(self, box: Slices) -> Callable[[], np.ndarray]:
        """A function that waits for the labels in a box, and raises one of _BROKEN."""
        if self.whole is not None:
            labels = self.whole[box]
            return lambda: labels
        future = self.store[box].read()
        corner = [side.start for side in box]
        return lambda: as_labels(future.result(), self.values, corner)


def level_mismatches(
    base: ts.TensorStore,
    levels: Sequence[tuple[ts.TensorStore, Shape]],
    values: LabelValues = LABELS,
) -> list[str | None]:
    """For each level what shows that it does not belong to s0, in words.

    None for a level that agrees with s0 in the sample: every voxel has a label of its cube, and
    they are not all the smallest, the largest or background, against the votes. Where the end of s0
    cuts a cube it may be background, with which some programs fill such cubes.

    base: s0. levels: from fine to coarse, each with its factor over s0, a multiple of the one
    before. A voxel covers `factor` voxels from `factor` times its index on; s0 may end before.
    values: what the values of all arrays mean.

    Raises UserError if s0 cannot be read, or has values that are no labels. A level that cannot be
    read does not belong to it.
    """
    s0 = _Array(base, (1, 1, 1), values)
    arrays = [_Array(store, factor, values) for store, factor in levels]
    is_near = [math.prod(array.factor) <= BOX_VOXELS for array in arrays]
    _compare(s0, [array for array, near in zip(arrays, is_near, strict=True) if near])
    for i, array in enumerate(arrays):
        if not is_near[i]:
            # the finest good level of which a cube can be read stands for s0
            good = (finer for finer in arrays[:i] if finer.reason is None)
            near = (finer for finer in good if math.prod(array.over(finer)) <= BOX_VOXELS)
            if (finer := next(near, None)) is not None:
                _compare(finer, [array])
            else:
                array.reason = f"its voxels cover {sides(array.factor)} of s0, too many to be read"
    return [array.reason for array in arrays]


def _compare(base: _Array, levels: Sequence[_Array]) -> None:
    """Compare levels with a base, and note a reason for each level that does not belong to it."""
    for level in levels:
        _read_if_small(level)
    levels = [level for level in levels if level.reason is None]
    if not levels:
        return
    shape, chunk = triple(base.store.shape), chunk_of(base.store)
    box = box_shape(shape, chunk, levels[-1].over(base))
    known = [(level.store, level.whole, level.over(base)) for level in levels]
    boxes = (box_at(index, box, shape) for index in boxes_in_order(base.store, known, box))
    most, n_shown = num_boxes(box, chunk), 0
    for n_before, (voxels, labels, reads) in enumerate(_read(base, levels, boxes)):
        for level, read in zip(levels, reads, strict=True):
            if level.reason is None:
                level.reason = _mismatch(base, level, voxels, labels, read)
        n_shown += bool((labels != labels[0, 0, 0]).any())
        if n_shown == most or n_before + 1 == _PATIENCE * most or all(e.reason for e in levels):
            break
    for level in levels:
        if level.reason is None and (extreme := level.extremes.found()):
            level.reason = f"it has the {extreme} label of every cube of s0, whatever wins the vote"


def _read_if_small(level: _Array) -> None:
    """Read a whole level if it is no larger than a box."""
    if math.prod(level.store.shape) <= BOX_VOXELS:
        try:
            level.whole = level.start_reading(slices((0, 0, 0), level.store.shape))()
        except _BROKEN as error:
            level.reason = _broken(error)


def _read(
    base: _Array, levels: Sequence[_Array], boxes: Iterator[Slices]
) -> Iterator[tuple[Slices, np.ndarray, list[Callable[[], np.ndarray]]]]:
    """Boxes with the labels of the base there, and functions that wait for those of the levels.

    Raises UserError if the base cannot be read.
    """
    ahead: deque[tuple[Slices, list[Callable[[], np.ndarray]]]] = deque()
    while True:
        for voxels in itertools.islice(boxes, _AT_ONCE - len(ahead)):
            parts = [(base, voxels)]
            parts += [(level, level_box(voxels, level.over(base))) for level in levels]
            ahead.append((voxels, [array.start_reading(part) for array, part in parts]))
        if not ahead:
            return
        voxels, (read, *reads) = ahead.popleft()
        try:
            labels = read()
        except UserError:
            raise
        except _BROKEN as error:
            raise unreadable(error, voxels) from error
        yield voxels, labels, reads


def _mismatch(
    base: _Array, level: _Array, voxels: Slices, labels: np.ndarray, read: Callable[[], np.ndarray]
) -> str | None:
    """What shows in a box that a level does not belong to its base.

    voxels: of the base. labels: there. read: waits for those of the level.
    """
    try:
        found = read()
    except _BROKEN as error:
        return _broken(error)
    factor = level.over(base)
    box = level_box(voxels, factor)
    cut = is_cut(triple(labels.shape), factor)
    cubes = whole_cubes(labels, factor)
    occurs, is_mixed = compared(cubes, found, factor)
    is_foreign = ~occurs & ~(cut & (found == 0))
    if base.factor != (1, 1, 1):
        is_odd = is_foreign.mean() > _MOST_FOREIGN
        return (
            f"it has labels at voxels {_span(box)} that finer levels lack there" if is_odd else None
        )
    if is_foreign.any():
        at = np.argwhere(is_foreign)[:1]
        cube = rows_of(cubes, at, factor)[0]
        return _foreign(found[tuple(at[0])], cube, (at[0] + [s.start for s in box]).tolist())
    if found.any() and not level.extremes.are_possible:
        return None
    which = some_of(is_mixed & ~cut, factor)
    rows, values = rows_of(cubes, which, factor), found[tuple(which.T)]
    if not found.any() and lacks_bodies(rows):
        return f"it is background at voxels {_span(box)}, where s0 has labels"
    level.extremes.add(rows, values)
    return None


def _foreign(label: int, cube: np.ndarray, at: list[int]) -> str:
    there = np.unique(cube).tolist()
    named = ", ".join(map(str, there[:_NAMED]))
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    what = f"label {label}" if label else "background"
    return f"it has {what} at voxel {at}, where s0 has only {named}{more}"


def _broken(error: Exception) -> str:
    return f"it cannot be read: {one_line(error)}"


def _span(box: Slices) -> str:
    return f"{[side.start for side in box]} to {[side.stop for side in box]}"
