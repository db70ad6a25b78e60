"""Counting the voxels of every label afresh: what there has to be a mesh of, and where.

Nothing of what the meshes were made from is believed: s0 is read again. Arrays are z y x, sums are
x y z like the meshes.
"""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorstore as ts
import worldarray as wa

from snakemesh.job_records import LevelPart, VerifyJob
from snakemesh.source.open_array import open_in_c_order
from snakemesh.verify.labels import places
from snakemesh.verify.reader import hashed

# Voxels on an axis that are read at a time.
PIECE = 256
# A row per label. shard: where its mesh belongs; centre: sums over its voxels of their centres, in
# voxels from the corner of the part that is meshed, x y z.
COUNT = np.dtype([("shard", "<u4"), ("label", "<u8"), ("voxels", "<u8"), ("centre", "<f8", (3,))])


def count_box(
    job: VerifyJob,
    begin: Sequence[int],
    end: Sequence[int],
    look: Callable[[np.ndarray, Sequence[int]], None] | None = None,
    join: Callable[[np.ndarray, Sequence[int], Sequence[int]], None] | None = None,
) -> np.ndarray:
    """The labels of a box of s0: COUNT, by shard and label. Background is left out.

    Where there is a table of bodies, they are the bodies. begin, end: in voxels of what is meshed,
    z y x. look: is given each piece of the box that is read, and where it begins. join: is given
    each piece with one more voxel behind its upper sides where there is one, and its begin and end.
    """
    part, spec = job.reads, job.sharding
    store = opened(part)
    axes = [range(b, e, PIECE) for b, e in zip(begin, end, strict=True)]
    found = []
    for corner in itertools.product(*axes):
        stop = [min(c + PIECE, e) for c, e in zip(corner, end, strict=True)]
        beyond = stop
        if join is not None:
            beyond = [min(s + 1, n) for s, n in zip(stop, part.shape, strict=True)]
        seen = labels_in(store, part, list(map(slice, corner, beyond)))
        labels = np.ascontiguousarray(
            seen[tuple(slice(s - c) for s, c in zip(stop, corner, strict=True))]
        )
        found.append(count_piece(labels, corner))
        if look is not None:
            look(labels, corner)
        del labels
        if join is not None:
            join(seen, corner, stop)
    counts = summed(np.concatenate([np.empty(0, COUNT), *found]))
    if job.label_map is not None:
        counts["label"] = bodies_of(counts["label"], job.label_map, job.keep_rest)
        counts = summed(counts[counts["label"] != 0])
    if part.values.is_one_body:
        counts["label"] = 1
        counts = summed(counts)
    mask = (1 << spec["shard_bits"]) - 1
    counts["shard"] = [
        hashed(label, spec) >> spec["minishard_bits"] & mask for label in counts["label"].tolist()
    ]
    return counts[np.argsort(counts["shard"], kind="stable")]


def opened(part: LevelPart) -> ts.TensorStore:
    """The array of a level with all its dimensions."""
    if part.stored is not None:
        return open_in_c_order(part.stored)
    store: ts.TensorStore = wa.open_tensorstore(part.path, level=part.name)
    return store


def labels_in(store: ts.TensorStore, part: LevelPart, box: Sequence[slice]) -> np.ndarray:
    """The labels in a box of a level, z y x. box: z y x, in voxels of what is meshed."""
    ndim = store.ndim
    axes = tuple(range(ndim - 3, ndim)) if part.stored is None else part.stored.axes
    index: list[int | slice] = [0] * ndim if part.stored is None else list(part.stored.index)
    for axis, side, origin in zip(axes, box, part.origin, strict=True):
        index[axis] = slice(side.start + origin, side.stop + origin)
    voxels = store[tuple(index)].read().result()
    voxels = np.transpose(voxels, [sorted(axes).index(axis) for axis in axes])
    if voxels.dtype.kind == "b":
        voxels = voxels.astype(np.uint8)
    for value in filter(None, part.values.background):
        voxels = np.where(voxels == value, voxels.dtype.type(0), voxels)
    return np.ascontiguousarray(voxels if voxels.dtype.kind in "ui" else voxels.astype(np.uint64))


def bodies_of(labels: np.ndarray, path: str, keep_rest: bool) -> np.ndarray:
    """The bodies of labels, uint64 (n,).

    path: a .npy of (rows, 2): ascending labels, and the body of each. keep_rest: other labels stay
    what they are, or else are background.
    """
    table = np.load(path, mmap_mode="r")
    bodies = labels.copy() if keep_rest else np.zeros_like(labels)
    at, is_listed = places(table[:, 0], labels)
    bodies[is_listed] = table[at[is_listed], 1]
    return bodies


def count_piece(voxels: np.ndarray, corner: Sequence[int]) -> np.ndarray:
    """The labels of an array of voxels, z y x: COUNT by label, all in shard 0.

    corner: of its first voxel, z y x. They are counted run by run along x.
    """
    flat = voxels.reshape(-1)
    _, ny, nx = voxels.shape
    is_start = np.empty(len(flat), bool)
    is_start[1:] = flat[1:] != flat[:-1]
    is_start[::nx] = True
    start = np.flatnonzero(is_start)
    start, length = start[flat[start] != 0], np.diff(start, append=len(flat))[flat[start] != 0]
    labels, row = np.unique(flat[start], return_inverse=True)
    counts = np.zeros(len(labels), COUNT)
    counts["label"] = labels
    counts["voxels"] = np.bincount(row, weights=length, minlength=len(labels))
    centres = (
        corner[2] + start % nx + length / 2,
        corner[1] + start // nx % ny + 0.5,
        corner[0] + start // (nx * ny) + 0.5,
    )
    for axis, centre in enumerate(centres):
        weights = length * centre
        counts["centre"][:, axis] = np.bincount(row, weights=weights, minlength=len(labels))
    return counts


def summed(counts: np.ndarray) -> np.ndarray:
    """One row per label, ascending, with the sums of its rows. counts: COUNT."""
    counts = counts[np.argsort(counts["label"], kind="stable")]
    first = np.flatnonzero(np.diff(counts["label"], prepend=~counts["label"][:1]))
    found = counts[first].copy()
    if len(first):
        for field in ("voxels", "centre"):
            found[field] = np.add.reduceat(counts[field], first)
    return found


def counts_of_shard(paths: Sequence[str], shard: int) -> np.ndarray:
    """The labels of a shard in all of the volume, from the files of all boxes: COUNT, by label."""
    parts = [np.empty(0, COUNT)]
    for path in paths:
        rows = np.load(Path(path), mmap_mode="r")
        low, high = np.searchsorted(rows["shard"], [shard, shard + 1])
        parts.append(np.array(rows[low:high]))
    return summed(np.concatenate(parts))
