"""One super-chunk of a pyramid: every missing level of a stage from one pass over its source.

A super-chunk is a box of source voxels that holds whole chunks of every level of the stage. It
is walked in blocks, a block being what one chunk of the finest level covers, and the blocks of
one coarser chunk follow each other, at every level: so each chunk is complete as early as it can
be, and one of each level is under way. It is written the moment its last voxel is there, always
whole, so that jobs need no locks. Blocks are read in pieces cut along the source's own chunks,
which are then decoded once, unless a block's face runs through them.

Arrays are z y x. In memory are the pieces read ahead and the writes under way, both bounded in
bytes, and one chunk of each level.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import Index, Shape, Slices, slices
from snakemesh.pyramid.downsample import downsample
from snakemesh.reading import BYTES_WRITING, Reading, reading
from snakemesh.voxels import unreadable, unsigned


@dataclass(frozen=True)
class SuperChunkStats:
    """What a super-chunk cost."""

    voxels: int  # source voxels
    uniform: int  # of these, in pieces that hold one value
    chunks: int  # written, or removed because they are all background
    seconds: float  # in all, of which:
    seconds_reading: float  # waiting for source voxels
    seconds_voting: float
    seconds_writing: float  # waiting for writes


@dataclass(frozen=True)
class _Level:
    """A level to be written."""

    index: int  # in the stage's steps
    target: ts.TensorStore
    factor: np.ndarray  # (3,) from the source
    chunk: np.ndarray  # (3,) voxels of a chunk on disk


@dataclass
class _Chunk:
    """A chunk under way. ``values`` is None while it is all background."""

    box: Slices
    missing: int  # voxels
    values: np.ndarray | None = None


def fill_super_chunk(
    base: ts.TensorStore,
    targets: Sequence[ts.TensorStore | None],
    begin: Sequence[int],
    end: Sequence[int],
    steps: Sequence[Shape],
    method: str,
) -> SuperChunkStats:
    """Write every level of the source box ``begin`` .. ``end`` (voxels, z y x) that has a target.

    ``base`` holds the labels that are read; it begins and ends with the part that is meshed, whose
    end cuts the last cubes. ``targets`` has one array for each step, of ``ceil(n / F)``
    voxels, or None where the level is not to be written; all have chunks of one shape.
    ``steps`` and ``method`` are those of ``downsample``. ``begin`` lies on a chunk's corner at
    every level written, and so does ``end``, or it is the source's end. Chunks that are all
    background are not stored, and removed where an earlier pyramid left one.

    ValueError: no target, or a box that is not made of whole chunks. UserError: a negative label.
    """
    started = time.perf_counter()
    levels = _levels(base, targets, begin, end, steps)
    steps = tuple(steps)[: levels[-1].index + 1]
    writer = _Writer()
    chunks: dict[tuple[int, Index], _Chunk] = {}
    uniform, reading, voting = 0, 0.0, 0.0
    how = _reading(base, levels)
    for piece, block, read in _read_ahead(base, _pieces(base, begin, end, levels, how), how):
        t0 = time.perf_counter()
        _await(read, piece)
        t1 = time.perf_counter()
        block = unsigned(block)
        one_value = _is_uniform(block)
        uniform += block.size if one_value else 0
        # a block of one value is that value at every level: one voxel stands for it
        parts = downsample(block[:1, :1, :1] if one_value else block, steps, method)
        for level in levels:
            done = _add_part(chunks, level, piece, parts[level.index])
            if done is not None:
                writer.write(level.target, done)
        reading += t1 - t0
        voting += time.perf_counter() - t1
    writer.finish()
    return SuperChunkStats(
        voxels=int(np.prod(np.subtract(end, begin))),
        uniform=uniform,
        chunks=writer.chunks,
        seconds=time.perf_counter() - started,
        seconds_reading=reading,
        seconds_voting=voting - writer.seconds,
        seconds_writing=writer.seconds,
    )


def _levels(
    base: ts.TensorStore,
    targets: Sequence[ts.TensorStore | None],
    begin: Sequence[int],
    end: Sequence[int],
    steps: Sequence[Shape],
) -> list[_Level]:
    """The levels to be written, finest first, after checking that they fit the box."""
    factors = np.cumprod(np.asarray(steps, np.int64), axis=0)
    levels = [
        _Level(k, target, factor, np.array(target.chunk_layout.write_chunk.shape, np.int64))
        for k, (target, factor) in enumerate(zip(targets, factors, strict=True))
        if target is not None
    ]
    if not levels:
        raise ValueError("no level to write: every target is None")
    begin, end, size = np.array(begin), np.array(end), np.array(base.shape)
    if (begin < 0).any() or (end <= begin).any() or (end > size).any():
        raise ValueError(f"box {begin} .. {end} is not in a source of {size} voxels")
    block = levels[0].chunk * levels[0].factor
    for level in levels:
        whole = level.chunk * level.factor
        expected = -(-size // level.factor)
        if (whole % block).any() or (block % level.factor).any():
            raise ValueError(f"chunks of {level.chunk} at factor {level.factor} do not nest")
        if (begin % whole).any() or ((end % whole != 0) & (end != size)).any():
            raise ValueError(f"box {begin} .. {end} is not made of chunks of {whole} voxels")
        if tuple(level.target.shape) != tuple(expected):
            raise ValueError(f"level of {level.target.shape} voxels, expected {expected}")
    return levels


def _reading(base: ts.TensorStore, levels: Sequence[_Level]) -> Reading:
    layout = base.chunk_layout
    block = (levels[0].chunk * levels[0].factor).tolist()
    # what is not stored in chunks is read as if every block were one
    stored = [s or b for s, b in zip(layout.read_chunk.shape or (0,) * 3, block, strict=True)]
    origin = [o or 0 for o in layout.grid_origin or (0,) * 3]
    return reading(
        block, stored, origin, levels[-1].factor.tolist(), base.dtype.numpy_dtype.itemsize
    )


def _pieces(
    base: ts.TensorStore,
    begin: Sequence[int],
    end: Sequence[int],
    levels: Sequence[_Level],
    how: Reading,
) -> list[Slices]:
    """The boxes to read, in an order that completes chunks as early as possible."""
    layout = base.chunk_layout
    stored = layout.read_chunk.shape or (None,) * 3
    block = levels[0].chunk * levels[0].factor
    axes = []
    for a in range(3):
        cuts = []
        for lo in range(begin[a], end[a], int(block[a])):
            hi = min(lo + int(block[a]), end[a])
            edges = range(layout.grid_origin[a] % stored[a], hi, stored[a]) if stored[a] else ()
            factor = int(levels[-1].factor[a])
            inside = [e for e in edges if lo < e and e % factor == 0]
            cuts += _cut(lo, hi, inside, how.lengths[a])
        axes.append(cuts)

    def chunks_of(piece: Slices) -> tuple[Index, ...]:
        """The chunks that hold ``piece``, coarsest first, and its place in the finest."""
        start = np.array([s.start for s in piece])
        nested = [tuple(start // (level.chunk * level.factor)) for level in reversed(levels)]
        return (*nested, tuple(start))

    return sorted(itertools.product(*axes), key=chunks_of)


def _cut(lo: int, hi: int, edges: Sequence[int], length: int) -> Iterator[slice]:
    """``lo`` .. ``hi`` cut at some of ``edges``, into as few pieces as can be that are at most
    ``length`` long or lie between two edges."""
    while lo < hi:
        ahead = [e for e in edges if e > lo] + [hi]
        stop = max((e for e in ahead if e <= lo + length), default=ahead[0])
        yield slice(lo, stop)
        lo = stop


def _read_ahead(
    base: ts.TensorStore, boxes: Sequence[Slices], how: Reading
) -> Iterator[tuple[Slices, np.ndarray, ts.Future]]:
    """Each piece, the array it is read into and when that is done, while the next are being read.

    The array is only valid until the next piece is asked for: a few buffers are read into over
    and over, since memory from the system costs as much as decoding into it.
    """
    dtype = base.dtype.numpy_dtype
    n = how.at_once
    largest = max(map(_size, boxes))
    buffers = [np.empty(largest, dtype) for _ in range(min(n, len(boxes)))]
    context = wa.shared_context()
    queue: deque[tuple[Slices, np.ndarray, ts.Future]] = deque()
    for i, piece in enumerate(boxes):
        shape = [s.stop - s.start for s in piece]
        block = buffers[i % n][: _size(piece)].reshape(shape)
        queue.append((piece, block, ts.array(block, context=context).write(base[piece]).commit))
        if len(queue) == n:
            yield queue.popleft()
    while queue:
        yield queue.popleft()


def _await(read: ts.Future, piece: Slices) -> None:
    try:
        read.result()
    except (ValueError, OSError) as error:
        raise unreadable(error, piece) from error


def _is_uniform(block: np.ndarray) -> bool:
    value = block[0, 0, 0]
    return all((plane == value).all() for plane in block)


def _size(box: Slices) -> int:
    return int(np.prod([s.stop - s.start for s in box]))


def _add_part(
    chunks: dict[tuple[int, Index], _Chunk], level: _Level, piece: Slices, part: np.ndarray
) -> _Chunk | None:
    """Put ``part``, the level of ``piece``, into its chunk; returns the chunk when it is whole.

    ``part`` is a single voxel when all of it is one value.
    """
    start = np.array([s.start for s in piece]) // level.factor
    stop = -(-np.array([s.stop for s in piece]) // level.factor)
    index = tuple((start // level.chunk).tolist())
    corner = index * level.chunk
    chunk = chunks.get((level.index, index))
    if chunk is None:
        far = np.minimum(corner + level.chunk, level.target.shape)
        box = slices(corner, far)
        chunk = chunks[level.index, index] = _Chunk(box, _size(box))
    if chunk.values is None and part.any():
        shape = [s.stop - s.start for s in chunk.box]
        chunk.values = np.zeros(shape, level.target.dtype.numpy_dtype)
    if chunk.values is not None:
        chunk.values[slices(start - corner, stop - corner)] = part
    chunk.missing -= int(np.prod(stop - start))
    return chunks.pop((level.index, index)) if chunk.missing == 0 else None


class _Writer:
    """Hands whole chunks to tensorstore and waits while too much of it is on its way."""

    def __init__(self) -> None:
        self.chunks = 0
        self.seconds = 0.0  # spent waiting
        self._queue: deque[tuple[ts.WriteFutures, int]] = deque()
        self._queued = 0

    def write(self, target: ts.TensorStore, chunk: _Chunk) -> None:
        values = chunk.values
        if values is None:
            stored = target[chunk.box].storage_statistics(query_not_stored=True)
            if stored.result().not_stored:
                self.chunks += 1
                return
            # tensorstore removes a chunk that is all fill value, for which it makes its folder
            shape = [s.stop - s.start for s in chunk.box]
            values = np.broadcast_to(target.dtype.numpy_dtype.type(0), shape)
        future = target[chunk.box].write(values, can_reference_source_data_indefinitely=True)
        self._queue.append((future, values.nbytes))
        self._queued += values.nbytes
        self.chunks += 1
        self._wait(BYTES_WRITING)

    def finish(self) -> None:
        self._wait(0)

    def _wait(self, limit: int) -> None:
        started = time.perf_counter()
        while self._queued > limit:
            future, size = self._queue.popleft()
            future.result()
            self._queued -= size
        self.seconds += time.perf_counter() - started
