"""Which boxes of s0 are read to compare a volume's own levels with it. Arrays are z y x.

First come boxes where a chunk of a level seems to be missing, and boxes with a label at a level
that was read whole; then all others, spread over the volume. Boxes without a stored chunk come
last.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import tensorstore as ts

from snakemesh.boxes import Index, Shape, Slices, ceil_div, indices, slices, triple
from snakemesh.source.voxels import can_tell_stored

# Voxels of s0 in a box.
BOX_VOXELS = 1 << 21
# Boxes that are compared, and voxels of s0 that are decoded for them at most, unless the fewest
# boxes take more.
MOST_BOXES, FEWEST_BOXES = 24, 4
DECODED_VOXELS = 1 << 26
# How many boxes are asked whether their chunks are stored.
_LOOKED_AT = 512
# How many boxes with labels are taken from a level that was read whole.
_WITH_LABELS = 64
# Multiples of these fractions are spread evenly over a box, however many there are, and in step
# with no grid of chunks: powers of the root of x^4 = x + 1, after M. Roberts, "The Unreasonable
# Effectiveness of Quasirandom Sequences" (2018).
_STEPS = np.array([0.8191725134, 0.6710436067, 0.5497004779])


def box_shape(shape: Shape, chunk: Shape, unit: Shape) -> Shape:
    """Voxels of a box on each axis: multiples of `unit`, about BOX_VOXELS in all, in few chunks.

    shape, chunk: of s0. unit: of at most BOX_VOXELS.
    """
    lengths = list(unit)

    def cost(axis: int) -> tuple[int, int]:
        longer = triple(n * 2 if a == axis else n for a, n in enumerate(lengths))
        return decoded_voxels(longer, chunk), lengths[axis]

    while 2 * math.prod(lengths) <= BOX_VOXELS:
        axes = [a for a in range(3) if lengths[a] < shape[a]]
        if not axes:
            break
        lengths[min(axes, key=cost)] *= 2
    return triple(lengths)


def decoded_voxels(box: Shape, chunk: Shape) -> int:
    """Voxels of all chunks that a box may touch."""
    touched = (
        1 if c % n == 0 else -(-n // c) + (n % c != 0) for n, c in zip(box, chunk, strict=True)
    )
    return math.prod(touched) * math.prod(chunk)


def num_boxes(box: Shape, chunk: Shape) -> int:
    """How many boxes are compared."""
    return min(max(DECODED_VOXELS // decoded_voxels(box, chunk), FEWEST_BOXES), MOST_BOXES)


def chunk_of(store: ts.TensorStore) -> Shape:
    """Voxels of what is decoded at once."""
    chunk = store.chunk_layout.read_chunk.shape
    return triple((n or 1) for n in chunk) if chunk else (1, 1, 1)


def box_at(index: Index, box: Shape, shape: Shape) -> Slices:
    """The voxels of the box with this index, cut at the end of s0."""
    begin = [i * n for i, n in zip(index, box, strict=True)]
    return slices(begin, [min(b + n, s) for b, n, s in zip(begin, box, shape, strict=True)])


def level_box(voxels: Slices, factor: Shape) -> Slices:
    """The voxels of a level that cover a box of s0, which begins with whole cubes."""
    sides = zip(voxels, factor, strict=True)
    return triple(slice(s.start // f, -(-s.stop // f)) for s, f in sides)


def boxes_in_order(
    base: ts.TensorStore,
    levels: Sequence[tuple[ts.TensorStore, np.ndarray | None, Shape]],
    box: Shape,
) -> Iterator[Index]:
    """The indices of boxes, each once, those that are likely to show most first.

    levels: with all of their labels, if these are known, and their factors over `base`.
    """
    shape = triple(base.shape)
    candidates = list(spread(ceil_div(shape, box), _LOOKED_AT))
    boxes = [box_at(index, box, shape) for index in candidates]
    stored = stored_parts(base, boxes)
    lack = np.zeros(len(boxes))
    for level, _, factor in levels:
        lack = np.maximum(lack, stored - stored_parts(level, [level_box(b, factor) for b in boxes]))
    lacking = np.argsort(-lack, kind="stable")[: np.count_nonzero(lack)]
    queues = [
        (candidates[i] for i in lacking),
        itertools.chain(*(_with_labels(whole, factor, box) for _, whole, factor in levels)),
        (candidates[i] for i in np.flatnonzero(stored)),
    ]
    in_turn = itertools.chain(*itertools.zip_longest(*queues))
    empty = (candidates[i] for i in np.flatnonzero(stored == 0))
    seen = set()
    for index in itertools.chain(in_turn, empty):
        if index is not None and index not in seen:
            seen.add(index)
            yield index


def spread(grid: Shape, most: int) -> Iterator[Index]:
    """Indices of a grid, evenly spread, each once: all of them if they are not more than `most`."""
    seen = set()
    places = np.arange(1, most + 1)[:, None] * _STEPS % 1 * grid
    for index in map(triple, places.astype(np.int64).tolist()):
        if index not in seen:
            seen.add(index)
            yield index
    if math.prod(grid) <= most:
        yield from (index for index in indices(grid) if index not in seen)


def _with_labels(level: np.ndarray | None, factor: Shape, box: Shape) -> Iterator[Index]:
    """Boxes, evenly spread, where a level has labels."""
    found = np.flatnonzero(level) if level is not None else np.empty(0, np.int64)
    if level is not None and len(found):
        places = np.arange(1, _WITH_LABELS + 1) * _STEPS[0] % 1 * len(found)
        voxels = np.stack(np.unravel_index(found[places.astype(np.int64)], level.shape), axis=1)
        yield from map(triple, (voxels * factor // box).tolist())


def stored_parts(store: ts.TensorStore, boxes: Sequence[Slices]) -> np.ndarray:
    """For each box, 1 if all of its chunks are stored, 0 if none is, 0.5 if some are.

    1 where this cannot be told cheaply.
    """
    if not can_tell_stored(store):
        return np.ones(len(boxes))
    asked = [
        store[box].storage_statistics(query_not_stored=True, query_fully_stored=True)
        for box in boxes
    ]
    answers = (future.result() for future in asked)
    return np.array([1.0 if a.fully_stored else 0.5 * (not a.not_stored) for a in answers])
