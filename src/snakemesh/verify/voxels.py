"""Counts the voxels of every label again: which labels must have a mesh, and where.

It trusts nothing that the meshes were made from, and reads s0 itself. Arrays are z y x, sums are
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
from snakemesh.verify.reader import shard_of

# Voxels on an axis that are read at a time.
PIECE = 256
# A row per label. shard: where its mesh belongs; centre: sums over its voxels of their centres, in
# voxels from the corner of the part that is meshed, x y z. second: integrals of xx, yy, zz, xy, xz
# and yz over its voxels as cubes of side 1, from the same corner. border: voxels at its border.
COUNT = np.dtype(
    [
        ("shard", "<u4"),
        ("label", "<u8"),
        ("voxels", "<u8"),
        ("centre", "<f8", (3,)),
        ("second", "<f8", (6,)),
        ("border", "<u8"),
    ]
)


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
        found.append(count_piece(labels, corner, part.shape))
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
    counts["shard"] = [shard_of(label, spec) for label in counts["label"].tolist()]
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


def as_bodies(labels: np.ndarray, job: VerifyJob) -> np.ndarray:
    """Labels of any shape as the bodies that are meshed; background stays 0."""
    if job.label_map is not None:
        names = np.unique(labels)
        bodies = bodies_of(names.astype(np.uint64), job.label_map, job.keep_rest)
        bodies[names == 0] = 0
        labels = bodies[np.searchsorted(names, labels)]
    if job.reads.values.is_one_body:
        labels = (labels != 0).astype(np.uint8)
    return labels


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


def count_piece(voxels: np.ndarray, corner: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """The labels of an array of voxels, z y x: COUNT by label, all in shard 0.

    corner: of its first voxel, z y x. shape: of the volume. They are counted run by run along x.
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
    begin = corner[2] + start % nx
    x, y, z = (
        begin + length / 2,
        corner[1] + start // nx % ny + 0.5,
        corner[0] + start // (nx * ny) + 0.5,
    )

    def add_up(weights: np.ndarray) -> np.ndarray:
        return np.bincount(row, weights=weights, minlength=len(labels))

    for axis, centre in enumerate((x, y, z)):
        counts["centre"][:, axis] = add_up(length * centre)
    # the variance of the numbers from 0 to 1 is 1/12
    squares = (x * x + length**2 / 12, y * y + 1 / 12, z * z + 1 / 12)
    for i, product in enumerate((*squares, x * y, x * z, y * z)):
        counts["second"][:, i] = add_up(length * product)
    is_side = (y < 1) | (y > shape[1] - 1) | (z < 1) | (z > shape[0] - 1)
    ends = (begin == 0).astype(int) + (begin + length == shape[2])
    counts["border"] = add_up(np.where(is_side, length, np.minimum(ends, length)))
    return counts


def summed(counts: np.ndarray) -> np.ndarray:
    """One row per label, ascending, with the sums of its rows. counts: COUNT."""
    counts = counts[np.argsort(counts["label"], kind="stable")]
    first = np.flatnonzero(np.diff(counts["label"], prepend=~counts["label"][:1]))
    found = counts[first].copy()
    if len(first):
        for field in ("voxels", "centre", "second", "border"):
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
