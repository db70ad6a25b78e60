"""One super-chunk of a pyramid: every missing level of a stage from one pass over its base.

A super-chunk is a box of voxels of the base that holds whole chunks of every level of the stage.
`pieces` reads it piece by piece, in an order that completes chunks as early as possible. So one
chunk of each level is under way at a time. A chunk is written when its last voxel is there, always
whole, so jobs need no locks.

Arrays are z y x. Memory holds one chunk of each level, the pieces that are read ahead, and the
writes under way; the last two are bounded in bytes.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorstore as ts

from snakemesh.boxes import Index, Shape, Slices, slices, triple
from snakemesh.label_values import LABELS, LabelValues, as_labels
from snakemesh.pyramid.downsample import downsample
from snakemesh.pyramid.pieces import read_pieces, shape_of
from snakemesh.reading import BYTES_WRITING
from snakemesh.source.voxels import unreadable


@dataclass(frozen=True)
class _Level:
    """A level to be written."""

    index: int  # in the stage's steps
    target: ts.TensorStore
    factor: np.ndarray  # (3,) over the base
    chunk: np.ndarray  # (3,) voxels of a chunk on disk

    @property
    def footprint(self) -> np.ndarray:
        """(3,) voxels of the base that a chunk covers."""
        covered: np.ndarray = self.chunk * self.factor
        return covered


@dataclass
class _Chunk:
    """A chunk under way. `values` is None while it is all background."""

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
    bodies_of: Callable[[np.ndarray], np.ndarray] | None = None,
    values: LabelValues = LABELS,
) -> int:
    """Write one super-chunk of every level that has a target.

    base: the labels that are read, z y x, of exactly the part that is meshed; its end may cut the
    last cubes. targets: for each step an array of `ceil(n / F)` voxels, where F is its factor over
    the base, or None if this level is not to be written; the chunks of all have one shape. begin,
    end: the super-chunk, z y x, in voxels of the base. begin lies on a corner of a chunk at every
    level that is written; so does end, unless it is the end of the base. steps, method: as for
    `downsample`. bodies_of: turns unsigned labels into what is voted on. values: what the values of
    the base mean.

    A chunk that is all background is not stored, and is removed if an older pyramid left one.
    Returns the number of chunks that are done, those of background too.

    Raises ValueError if no level has a target, or if the super-chunk is not made of whole chunks;
    UserError if voxels cannot be read, or if a label is negative.
    """
    levels = _levels(base, targets, begin, end, steps)
    steps = tuple(steps)[: levels[-1].index + 1]
    writer = _Writer()
    chunks: dict[tuple[int, Index], _Chunk] = {}
    footprints = [level.footprint for level in levels]
    for piece, labels, read in read_pieces(base, begin, end, footprints, levels[-1].factor):
        _await(read, piece)
        labels = as_labels(labels, values, [side.start for side in piece])
        if bodies_of is not None:
            labels = bodies_of(labels)
        # a piece of one value has this value at every level: one voxel stands for all
        labels = labels[:1, :1, :1] if _is_uniform(labels) else labels
        voted = downsample(labels, steps, method)
        for level in levels:
            done = _add_part(chunks, level, piece, voted[level.index])
            if done is not None:
                writer.write(level.target, done)
    writer.wait(0)
    return writer.chunks


def _levels(
    base: ts.TensorStore,
    targets: Sequence[ts.TensorStore | None],
    begin: Sequence[int],
    end: Sequence[int],
    steps: Sequence[Shape],
) -> list[_Level]:
    """The levels to be written, finest first, after checking that they fit the super-chunk."""
    factors = np.cumprod(np.asarray(steps, np.int64), axis=0)
    levels = [
        _Level(k, target, factor, np.array(target.chunk_layout.write_chunk.shape, np.int64))
        for k, (target, factor) in enumerate(zip(targets, factors, strict=True))
        if target is not None
    ]
    if not levels:
        raise ValueError("no level to write: every target is None")
    low, high, size = np.array(begin), np.array(end), np.array(base.shape)
    if (low < 0).any() or (high <= low).any() or (high > size).any():
        raise ValueError(f"box {low} .. {high} is not in a source of {size} voxels")
    finest = levels[0].footprint
    for level in levels:
        whole = level.footprint
        expected = -(-size // level.factor)
        if (whole % finest).any() or (finest % level.factor).any():
            raise ValueError(f"chunks of {level.chunk} at factor {level.factor} do not nest")
        if (low % whole).any() or ((high % whole != 0) & (high != size)).any():
            raise ValueError(f"box {low} .. {high} is not made of chunks of {whole} voxels")
        if tuple(level.target.shape) != tuple(expected):
            raise ValueError(f"level of {level.target.shape} voxels, expected {expected}")
    return levels


def _await(read: ts.Future[None], piece: Slices) -> None:
    """Wait until a piece is read. Raises UserError if it cannot be."""
    try:
        read.result()
    except (ValueError, OSError) as error:
        raise unreadable(error, piece) from error


def _is_uniform(labels: np.ndarray) -> bool:
    value = labels[0, 0, 0]
    return all((plane == value).all() for plane in labels)


def _add_part(
    chunks: dict[tuple[int, Index], _Chunk], level: _Level, piece: Slices, voted: np.ndarray
) -> _Chunk | None:
    """Put what a piece became at a level into its chunk; return the chunk once it is whole.

    voted: z y x voxels of the level, or a single voxel if all of them have one value.
    """
    start = np.array([s.start for s in piece]) // level.factor
    stop = -(-np.array([s.stop for s in piece]) // level.factor)
    index = triple((start // level.chunk).tolist())
    corner = index * level.chunk
    chunk = chunks.get((level.index, index))
    if chunk is None:
        far = np.minimum(corner + level.chunk, level.target.shape)
        box = slices(corner, far)
        chunk = chunks[level.index, index] = _Chunk(box, math.prod(shape_of(box)))
    if chunk.values is None and voted.any():
        chunk.values = np.zeros(shape_of(chunk.box), level.target.dtype.numpy_dtype)
    if chunk.values is not None:
        chunk.values[slices(start - corner, stop - corner)] = voted
    chunk.missing -= int(np.prod(stop - start))
    return chunks.pop((level.index, index)) if chunk.missing == 0 else None


class _Writer:
    """Hands whole chunks to tensorstore and waits while too much of it is on its way."""

    def __init__(self) -> None:
        self.chunks = 0
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
            values = np.broadcast_to(target.dtype.numpy_dtype.type(0), shape_of(chunk.box))
        future = target[chunk.box].write(values, can_reference_source_data_indefinitely=True)
        self._queue.append((future, values.nbytes))
        self._queued += values.nbytes
        self.chunks += 1
        self.wait(BYTES_WRITING)

    def wait(self, limit: int) -> None:
        """Wait until at most `limit` bytes are on their way."""
        while self._queued > limit:
            future, size = self._queue.popleft()
            future.result()
            self._queued -= size
