"""How thick labels are: twice the distance to the surface, on the ridges of that distance.

The distance of a voxel is that from its centre to the centre of the nearest voxel of another label,
background included. It is exact up to REACH sides of a voxel along its shortest axis, and larger
ones count as REACH. So thickness saturates at twice that, and a voxel depends on nothing farther
away: parts of a volume that are read with `margin` around them give the sums of the whole. Where
the volume ends nothing is known, and nothing counts as a surface.

A voxel is on a ridge if the distance to none of its 26 neighbours grows by more than _SLOPE of the
way. Off the ridges it grows towards the middle of the body almost as fast as one goes; on them it
grows only as the body becomes thicker.

The distance is computed axis after axis: its square at a voxel is the least sum, over the voxels
that follow it along an axis, of the square of theirs and of that of the step (Saito and Toriwaki,
New algorithms for Euclidean distance transformation of an n-dimensional digitized picture, Pattern
Recognition 27, 1994). Arrays are z y x.
"""

import math
from collections.abc import Sequence

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.measure_job import REACH
from snakemesh.mesh.compact_labels import CompactLabels

# A larger number takes voxels for ridges that are far from the middle of a body; with 0, a body
# that becomes thicker has ridges only where it is thickest.
_SLOPE = 0.1
# Thickness is counted in halves of that side: the largest one.
MOST_HALVES = 4 * REACH
# A row per label. voxels: on ridges, by thickness - 1 in halves of the shortest side of a voxel.
RIDGES = np.dtype([("label", "<u8"), ("voxels", "<u4", (MOST_HALVES,))])


def thickness_of(
    labels: CompactLabels, begin: Sequence[int], shape: Sequence[int], voxel: Sequence[float]
) -> np.ndarray:
    """The ridges of the labels in a part of an array: RIDGES, by label.

    labels: of the part with its `margin`, as far as the volume goes. begin, shape: the part in that
    array. voxel: the sides of a voxel, all z y x.
    """
    numbers = labels.numbers[1:-1, 1:-1, 1:-1]
    sides = np.asarray(voxel, np.float64) / min(voxel)
    here = tuple(slice(b, b + n) for b, n in zip(begin, shape, strict=True))
    # of the part, and of the voxels around it, at which ridges look
    wider = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in here)
    distance = distances(numbers, sides, wider)
    halves = np.zeros(tuple(shape), np.uint8)
    inner = np.array([s.start - w.start for s, w in zip(here, wider, strict=True)])
    _ridges(numbers[wider], distance, sides, inner, halves)
    is_ridge = halves > 0
    codes = numbers[here][is_ridge].astype(np.int64) * MOST_HALVES + halves[is_ridge] - 1
    codes, counts = np.unique(codes, return_counts=True)
    rows, row = np.unique(codes // MOST_HALVES, return_inverse=True)
    found = np.zeros(len(rows), RIDGES)
    found["label"] = labels.names[rows]
    found["voxels"][row, codes % MOST_HALVES] = counts
    return found[np.argsort(found["label"])]


def summed(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels, ascending, and the sums of the voxels of their rows, uint64 (n, MOST_HALVES).

    rows: RIDGES.
    """
    rows = rows[np.argsort(rows["label"], kind="stable")]
    first = np.flatnonzero(np.diff(rows["label"], prepend=~rows["label"][:1]))
    if not len(first):
        return rows["label"], rows["voxels"].astype(np.uint64)
    return rows["label"][first], np.add.reduceat(rows["voxels"], first, dtype=np.uint64)


def mean_and_95_percent(voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean thickness, and the one that 95 % of the voxels on ridges have at most: (n,) float64.

    voxels: uint64 (n, MOST_HALVES), each row of one voxel at least. In sides of a voxel along its
    shortest axis.
    """
    halves = np.arange(1, MOST_HALVES + 1, dtype=np.uint64)
    total = voxels.sum(axis=1)
    mean = (voxels * halves).sum(axis=1) / total
    is_enough = 20 * np.cumsum(voxels, axis=1) >= 19 * total[:, None]
    return mean / 2, halves[is_enough.argmax(axis=1)] / 2


def distances(numbers: np.ndarray, sides: np.ndarray, part: Sequence[slice]) -> np.ndarray:
    """The distance of each voxel to the nearest of another number, at most REACH; 0 for number 0.

    numbers: z y x, uint32. sides: of a voxel, z y x, the shortest of length 1. part: the voxels
    whose distances are returned, float32 of their shape.
    """
    # never contiguous, like its parts below: compiled functions are for one layout
    squares = np.zeros([n + 1 for n in numbers.shape], np.float32)[:-1, :-1, :-1]
    _along_x(numbers, sides[2], squares)
    numbers, squares = numbers[:, :, part[2]], squares[:, :, part[2]]
    for axis in (1, 0):
        # planes of the axis and x
        plane_numbers, planes = (np.moveaxis(a, 1 - axis, 0) for a in (numbers, squares))
        first, last, _ = part[axis].indices(numbers.shape[axis])
        _across_rows(plane_numbers, sides[axis], first, last, planes)
        here = (slice(None),) * axis + (part[axis],)
        numbers, squares = numbers[here], squares[here]
    return np.sqrt(squares)


@njit(cache=True, nogil=True, allocates=False)
def _along_x(numbers, side, squares):
    """Write the squares of the distances along x, at most REACH squared."""
    nz, ny, nx = numbers.shape
    for z in range(nz):
        for y in range(ny):
            row = numbers[z, y]
            end = 0
            while end < nx:
                begin, number = end, row[end]
                while end < nx and row[end] == number:
                    end += 1
                if number == 0:
                    continue
                for x in range(begin, end):
                    least = np.float64(REACH)
                    if begin > 0:
                        least = min(least, (x - begin + 1) * side)
                    if end < nx:
                        least = min(least, (end - x) * side)
                    squares[z, y, x] = least * least


@njit(cache=True, nogil=True)
def _across_rows(numbers, side, first, last, squares):
    """Let the squares of distances in rows `first` to `last` of each plane include those across."""
    n_planes, n_rows, nx = numbers.shape
    before = np.empty((n_rows, nx), np.float32)
    for plane in range(n_planes):
        for row in range(n_rows):
            for x in range(nx):
                before[row, x] = squares[plane, row, x]
        for row in range(first, last):
            for x in range(nx):
                number = numbers[plane, row, x]
                if number == 0:
                    continue
                least = before[row, x]
                goes_down, goes_up = True, True
                step = 1
                while goes_down or goes_up:
                    far = np.float32(step * side * (step * side))
                    if far >= least:
                        break
                    if goes_down:
                        other = row - step
                        if other < 0:
                            goes_down = False
                        elif numbers[plane, other, x] != number:
                            least, goes_down = min(least, far), False
                        else:
                            least = min(least, before[other, x] + far)
                    if goes_up:
                        other = row + step
                        if other >= n_rows:
                            goes_up = False
                        elif numbers[plane, other, x] != number:
                            least, goes_up = min(least, far), False
                        else:
                            least = min(least, before[other, x] + far)
                    step += 1
                squares[plane, row, x] = least


@njit(cache=True, nogil=True, allocates=False)
def _ridges(numbers, distance, sides, begin, halves):
    """Write the thickness of each voxel of a part that is on a ridge, in halves of a side."""
    nz, ny, nx = numbers.shape
    for i in range(halves.shape[0]):
        for j in range(halves.shape[1]):
            for k in range(halves.shape[2]):
                z, y, x = begin[0] + i, begin[1] + j, begin[2] + k
                number, own = numbers[z, y, x], distance[z, y, x]
                if number == 0:
                    continue
                is_ridge = True
                for n in range(27):
                    dz, dy, dx = n // 9 - 1, n // 3 % 3 - 1, n % 3 - 1
                    oz, oy, ox = z + dz, y + dy, x + dx
                    if oz < 0 or oy < 0 or ox < 0 or oz >= nz or oy >= ny or ox >= nx:
                        continue
                    if numbers[oz, oy, ox] != number or n == 13:
                        continue
                    step = (dz * sides[0]) ** 2 + (dy * sides[1]) ** 2 + (dx * sides[2]) ** 2
                    if distance[oz, oy, ox] - own > _SLOPE * math.sqrt(step):
                        is_ridge = False
                        break
                if is_ridge:
                    halves[i, j, k] = min(int(4 * own + 0.5), MOST_HALVES)
