"""The vote: which label each cube of voxels becomes, at every level of a stage at once.

The vote is exact at each level: a voxel of level k is the mode of all voxels in its cube, not the
mode of modes. It is fast because most cubes are decided without counting their voxels.

- Cubes of the first level (at most 2 x 2 x 2) are voted on in a loop without branches, which the
  compiler turns into vector instructions.
- From the second level on, a cube is made of at most eight cubes of the level below, its children.
  The votes of the children's winners add up to a lower bound for each label. A label whose bound is
  more than half of the votes cast has won.
- The cubes that are left (in dense tissue one 4 x 4 x 4 cube in five, two 8 x 8 x 8 cubes in five)
  are counted: first the voxels of the likely winner, and if that is not enough those of the other
  labels too.

Arrays are z y x. The block is the array that is voted on. If its end cuts a cube, the voxels that
exist vote. A node is a voxel of one of the levels. A bar is a row of cubes of the largest factor
along x, SPAN nodes of the first level long; the block is walked bar by bar.
"""

from typing import NamedTuple

import numpy as np

from snakemesh.job_records import MAX_STAGE_FACTOR
from snakemesh.kernels.compiled import njit

# Nodes in a row of scratch, at most. The scratch of a level has one row for each row of nodes in a
# bar. A row holds three planes of SPAN values, one after another: the label of each node, the votes
# that this label is sure of, and the votes cast. They share one array, at a constant distance,
# because the compiler gives up vectorising where it has too many arrays to tell apart.
SPAN = 128
# Rows of nodes in a bar, at most.
ROWS = MAX_STAGE_FACTOR * MAX_STAGE_FACTOR


class Levels(NamedTuple):
    """What `vote_block` needs to know of the levels. Row 0 is the block itself. Axes are z y x."""

    steps: np.ndarray  # (levels + 1, 3) int64: factor over the level below
    factors: np.ndarray  # (levels + 1, 3) int64: factor over the block
    shapes: np.ndarray  # (levels + 1, 3) int64: voxels
    starts: np.ndarray  # (levels + 1,) int64: level k is starts[k - 1] : starts[k] of the output


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _winner(a0, a1, a2, a3, a4, a5, a6, a7, w0, w1, w2, w3, w4, w5, w6, w7):
    """The heaviest of eight weighted labels and its weight; of equally heavy ones the smallest.

    Each label is compared with those after it only. So the first occurrence of a label gets the
    whole weight, and later ones get less, which does no harm.
    """
    n0 = w0 + w1 * (a1 == a0) + w2 * (a2 == a0) + w3 * (a3 == a0)
    n0 += w4 * (a4 == a0) + w5 * (a5 == a0) + w6 * (a6 == a0) + w7 * (a7 == a0)
    n1 = w1 + w2 * (a2 == a1) + w3 * (a3 == a1) + w4 * (a4 == a1)
    n1 += w5 * (a5 == a1) + w6 * (a6 == a1) + w7 * (a7 == a1)
    n2 = w2 + w3 * (a3 == a2) + w4 * (a4 == a2) + w5 * (a5 == a2) + w6 * (a6 == a2)
    n2 += w7 * (a7 == a2)
    n3 = w3 + w4 * (a4 == a3) + w5 * (a5 == a3) + w6 * (a6 == a3) + w7 * (a7 == a3)
    n4 = w4 + w5 * (a5 == a4) + w6 * (a6 == a4) + w7 * (a7 == a4)
    n5 = w5 + w6 * (a6 == a5) + w7 * (a7 == a5)
    n6 = w6 + w7 * (a7 == a6)
    label, votes = _better(a0, n0, a1, n1)
    label, votes = _better(label, votes, a2, n2)
    label, votes = _better(label, votes, a3, n3)
    label, votes = _better(label, votes, a4, n4)
    label, votes = _better(label, votes, a5, n5)
    label, votes = _better(label, votes, a6, n6)
    return _better(label, votes, a7, w7)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _better(a, n, b, m):
    """The winner of label a with n votes and label b with m votes, and its votes."""
    second = (m > n) | ((m == n) & (b < a))  # no short circuit: a select, not a branch
    return b if second else a, m if second else n


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _first_row(r0, r1, r2, r3, s1, s2, s3, step, has_next, zero, n, out):
    """Vote on a row of n nodes of the first level, from four rows of voxels.

    r0 .. r3: the rows of voxels, at y and y + 1 of the first z and of the next. s1 .. s3: whether
    the second, third and fourth row count (0 or 1). step: voxels of a node along x. has_next:
    whether a node takes a second voxel along x (0 or 1). zero: whether background votes. out: the
    row of scratch that the result goes into.
    """
    for x in range(n):
        i = step * x
        j = i + has_next
        w0 = 1 * (zero | (r0[i] != 0))
        w1 = has_next * (zero | (r0[j] != 0))
        w2 = s1 * (zero | (r1[i] != 0))
        w3 = s1 * has_next * (zero | (r1[j] != 0))
        w4 = s2 * (zero | (r2[i] != 0))
        w5 = s2 * has_next * (zero | (r2[j] != 0))
        w6 = s3 * (zero | (r3[i] != 0))
        w7 = s3 * has_next * (zero | (r3[j] != 0))
        out[x], out[SPAN + x] = _winner(
            *(r0[i], r0[j], r1[i], r1[j], r2[i], r2[j], r3[i], r3[j]),
            *(w0, w1, w2, w3, w4, w5, w6, w7),
        )
        out[2 * SPAN + x] = w0 + w1 + w2 + w3 + w4 + w5 + w6 + w7


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _next_row(r0, r1, r2, r3, s1, s2, s3, step, has_next, n, out):
    """Vote on a row of n nodes of a higher level, from four rows of scratch of the level below.

    The votes of a winner are a lower bound. The arguments are those of `_first_row`, of the nodes
    of the level below in place of voxels.
    """
    for x in range(n):
        i = step * x
        j = i + has_next
        w0 = np.int64(r0[SPAN + i])
        w1 = has_next * np.int64(r0[SPAN + j])
        w2 = s1 * np.int64(r1[SPAN + i])
        w3 = s1 * has_next * np.int64(r1[SPAN + j])
        w4 = s2 * np.int64(r2[SPAN + i])
        w5 = s2 * has_next * np.int64(r2[SPAN + j])
        w6 = s3 * np.int64(r3[SPAN + i])
        w7 = s3 * has_next * np.int64(r3[SPAN + j])
        out[x], out[SPAN + x] = _winner(
            *(r0[i], r0[j], r1[i], r1[j], r2[i], r2[j], r3[i], r3[j]),
            *(w0, w1, w2, w3, w4, w5, w6, w7),
        )
    for x in range(n):  # in one loop with the above, neither would be vectorised
        i = 2 * SPAN + step * x
        j = i + has_next
        out[2 * SPAN + x] = (
            (np.int64(r0[i]) + has_next * np.int64(r0[j]))
            + s1 * (np.int64(r1[i]) + has_next * np.int64(r1[j]))
            + s2 * (np.int64(r2[i]) + has_next * np.int64(r2[j]))
            + s3 * (np.int64(r3[i]) + has_next * np.int64(r3[j]))
        )


@njit(cache=True, nogil=True, allocates=False)
def _count(block, box, label):
    """How many voxels of a box (z0, z1, y0, y1, x0, x1) of the block hold a label."""
    z0, z1, y0, y1, x0, x1 = box
    n = 0
    for z in range(z0, z1):
        for y in range(y0, y1):
            row = block[z, y, x0:x1]
            if row.size == 8:  # three times as fast with a constant number of turns
                for x in range(8):
                    n += row[x] == label
            elif row.size == 4:
                for x in range(4):
                    n += row[x] == label
            else:
                for x in range(row.size):
                    n += row[x] == label
    return n


@njit(cache=True, nogil=True, allocates=False)
def _recount(block, box, guess, cast, zero, left):
    """The mode of a box of the block and its votes, exactly.

    guess: the label that is counted first. cast: votes cast in the box. zero: whether background
    votes. left: scratch for the voxels of a cube that are not counted yet, and one more.
    """
    label, votes = guess, _count(block, box, guess)
    if 2 * votes > cast:
        return label, votes
    z0, z1, y0, y1, x0, x1 = box
    n = 0
    for z in range(z0, z1):
        for y in range(y0, y1):
            for value in block[z, y, x0:x1]:
                left[n] = value
                n += (value != guess) & (zero | (value != 0))
    while n >= votes and n > 0:  # one of these could still win, or tie and be smaller
        candidate, m = left[0], 0
        for i in range(n):
            value = left[i]
            left[m] = value
            m += value != candidate
        label, votes = _better(label, votes, candidate, n - m)
        n = m
    return label, votes


@njit(cache=True, nogil=True, allocates=False)
def _recount_row(block, corner, factor, zero, n, row, left):
    """Recount the nodes of a row of scratch whose winner is not sure of more than half the votes.

    corner: z y x, the first voxel of the first node. factor: of the level over the block. n: nodes
    in the row. zero, left: as for `_recount`.
    """
    z0, y0, x0 = corner
    z1, y1 = min(z0 + factor[0], block.shape[0]), min(y0 + factor[1], block.shape[1])
    for x in range(n):
        cast = np.int64(row[2 * SPAN + x])
        if 2 * np.int64(row[SPAN + x]) <= cast and cast > 0:
            a = x0 + x * factor[2]
            box = (z0, z1, y0, y1, a, min(a + factor[2], block.shape[2]))
            row[x], row[SPAN + x] = _recount(block, box, row[x], cast, zero, left)


@njit(cache=True, nogil=True)
def _vote_row(block, levels, k, node, zero, planes, left):
    """Vote on the nodes of level k from `node` (z y x) to the end of the bar along x.

    planes: scratch, (levels, ROWS, 3 SPAN). Returns the row of scratch that holds the nodes, and
    their number.
    """
    factor, step, below = levels.factors[k], levels.steps[k], levels.shapes[k - 1]
    z, y, x = node[0] * step[0], node[1] * step[1], node[2] * step[2]
    s2 = 1 if step[0] == 2 and z + 1 < below[0] else 0
    s1 = 1 if step[1] == 2 and y + 1 < below[1] else 0
    s3 = s1 * s2
    n = min(SPAN * levels.steps[1, 2] // factor[2], levels.shapes[k, 2] - node[2])
    pairs = min(n, (below[2] - x) // 2) if step[2] == 2 else 0
    i = 2 * pairs
    rows_z, rows_y = levels.factors[-1, 0] // factor[0], levels.factors[-1, 1] // factor[1]
    row = planes[k - 1, node[0] % rows_z * rows_y + node[1] % rows_y]
    if k == 1:
        r0, r1 = block[z, y, x:], block[z, y + s1, x:]
        r2, r3 = block[z + s2, y, x:], block[z + s2, y + s1, x:]
        _first_row(r0, r1, r2, r3, s1, s2, s3, 2, 1, zero, pairs, row)
        r0, r1, r2, r3 = r0[i:], r1[i:], r2[i:], r3[i:]
        _first_row(r0, r1, r2, r3, s1, s2, s3, 1, 0, zero, n - pairs, row[pairs:])
        return row, n
    pitch = rows_y * step[1]
    base = z % (rows_z * step[0]) * pitch + y % pitch
    r0, r1 = planes[k - 2, base], planes[k - 2, base + s1]
    r2, r3 = planes[k - 2, base + s2 * pitch], planes[k - 2, base + s2 * pitch + s1]
    _next_row(r0, r1, r2, r3, s1, s2, s3, 2, 1, pairs, row)
    r0, r1, r2, r3 = r0[i:], r1[i:], r2[i:], r3[i:]
    _next_row(r0, r1, r2, r3, s1, s2, s3, 1, 0, n - pairs, row[pairs:])
    corner = (node[0] * factor[0], node[1] * factor[1], node[2] * factor[2])
    _recount_row(block, corner, factor, zero, n, row, left)
    return row, n


@njit(cache=True, nogil=True)
def vote_block(block, levels, zero, out):
    """Vote on all levels of a block.

    block: z y x, uint32 or uint64, C-contiguous. levels: a `Levels`. zero: whether background
    votes. out: (levels.starts[-1],) of the dtype of the block; level k goes into it from
    levels.starts[k - 1] on, z y x.

    The block is walked bar by bar, all levels of each, so that the voxels of a bar and its scratch
    stay in the processor's cache from level to level.
    """
    top = levels.factors[-1]
    planes = np.zeros((len(levels.steps) - 1, ROWS, 3 * SPAN), block.dtype)
    left = np.zeros(MAX_STAGE_FACTOR**3 + 1, block.dtype)
    for z0 in range(0, block.shape[0], top[0]):
        for y0 in range(0, block.shape[1], top[1]):
            for x0 in range(0, block.shape[2], SPAN * levels.steps[1, 2]):
                for k in range(1, len(levels.steps)):
                    fz, fy, fx = levels.factors[k]
                    nz, ny, nx = levels.shapes[k]
                    for z in range(z0 // fz, min((z0 + top[0]) // fz, nz)):
                        for y in range(y0 // fy, min((y0 + top[1]) // fy, ny)):
                            node = (z, y, x0 // fx)
                            row, n = _vote_row(block, levels, k, node, zero, planes, left)
                            start = levels.starts[k - 1] + (z * ny + y) * nx + x0 // fx
                            for i in range(n):  # a slice would compile 2 s longer
                                out[start + i] = row[i]
