"""Reading a super-chunk piece by piece: how it is cut, in which order, and reading ahead.

The footprint of a chunk is the box of voxels of the base that it covers. Footprints are nested:
that of a coarse chunk is made of whole footprints of finer ones. A super-chunk is walked in
footprints of the finest level. Those that belong to one coarser chunk follow each other, at every
level, so every chunk is complete as early as it can be.

Each footprint is read in pieces. They are cut along the chunks of the base, so that each of those
is decoded once, unless a face of the footprint runs through it. Arrays are z y x.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import Index, Shape, Slices, triple
from snakemesh.reading import Reading, reading

# Its box in the base, the array that it is read into, and the future that says it is there.
Piece = tuple[Slices, np.ndarray, ts.Future[None]]


def shape_of(box: Slices) -> Shape:
    """Number of voxels of a box on each axis."""
    return triple(side.stop - side.start for side in box)


def read_pieces(
    base: ts.TensorStore,
    begin: Sequence[int],
    end: Sequence[int],
    footprints: Sequence[np.ndarray],
    factor: np.ndarray,
) -> Iterator[Piece]:
    """The pieces of a super-chunk, each with its array, while the next ones are being read.

    begin, end: the super-chunk, z y x, in voxels of the base. footprints: (3,) voxels of the base
    under a chunk of each level that is written, finest first. factor: (3,) of the coarsest of these
    levels over the base; pieces begin on multiples of it.

    Wait for the future of a piece before using its array. The array is only valid until the next
    piece is asked for.
    """
    finest = triple(footprints[0].tolist())
    stored, origin = _base_chunks(base, finest)
    how = reading(finest, stored, origin, factor.tolist(), base.dtype.numpy_dtype.itemsize)
    sides_by_axis = []
    for a in range(3):
        sides: list[slice] = []
        for lo in range(begin[a], end[a], finest[a]):
            hi = min(lo + finest[a], end[a])
            edges = range(origin[a] % stored[a], hi, stored[a])
            inside = [e for e in edges if lo < e and e % int(factor[a]) == 0]
            sides += _cut(lo, hi, inside, how.lengths[a])
        sides_by_axis.append(sides)
    boxes = map(triple, itertools.product(*sides_by_axis))

    def chunks_of(box: Slices) -> tuple[Index, ...]:
        """The chunks that a box is part of, coarsest first, and then its first voxel."""
        start = np.array([side.start for side in box])
        return (*(triple(start // footprint) for footprint in reversed(footprints)), triple(start))

    return _read_ahead(base, sorted(boxes, key=chunks_of), how)


def _base_chunks(base: ts.TensorStore, footprint: Shape) -> tuple[Shape, Shape]:
    """The shape of a chunk of the base and a corner of one, in voxels of the base.

    A base that is not stored in chunks is read as if every footprint were one.
    """
    layout = base.chunk_layout
    stored = zip(layout.read_chunk.shape or (0, 0, 0), footprint, strict=True)
    origin = layout.grid_origin or (0, 0, 0)
    return triple(s or f for s, f in stored), triple(o or 0 for o in origin)


def _cut(lo: int, hi: int, edges: Sequence[int], length: int) -> Iterator[slice]:
    """Cut `lo` .. `hi` at some of the ascending `edges`, into as few sides of pieces as possible.

    No side is longer than `length`, unless two edges are further apart.
    """
    while lo < hi:
        ahead = [e for e in edges if e > lo] + [hi]
        stop = max((e for e in ahead if e <= lo + length), default=ahead[0])
        yield slice(lo, stop)
        lo = stop


def _read_ahead(base: ts.TensorStore, boxes: Sequence[Slices], how: Reading) -> Iterator[Piece]:
    """Start reading `how.at_once` boxes, and another one whenever the next piece is asked for.

    A few buffers are used over and over: fresh memory from the system costs as much as decoding
    into it.
    """
    dtype = base.dtype.numpy_dtype
    n = how.at_once
    largest = max(math.prod(shape_of(box)) for box in boxes)
    buffers = [np.empty(largest, dtype) for _ in range(min(n, len(boxes)))]
    context = wa.shared_context()
    queue: deque[Piece] = deque()
    for i, box in enumerate(boxes):
        shape = shape_of(box)
        labels = buffers[i % n][: math.prod(shape)].reshape(shape)
        queue.append((box, labels, ts.array(labels, context=context).write(base[box]).commit))
        if len(queue) == n:
            yield queue.popleft()
    while queue:
        yield queue.popleft()
