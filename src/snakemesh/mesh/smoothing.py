"""Smoothing surface nets by Taubin's filter, in integers.

A vertex moves by the mean difference to the other corners of its quads. A neighbour along an edge
is in two quads and counts twice. This smooths a surface alike in all directions. With neighbours
along edges alone, the normals of balls would be 16 % further off after 5 sweeps.

A position is *packed* into one int64, x + 2^21 y + 2^42 z, so that one addition does for all three.
Packed positions may wrap around, but their differences are right. A difference can be unpacked if
it is below 2^20 on every axis, which is 256 voxels; a quad is a voxel or two wide.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.smoothing_passes import pass_steps

# Weights are integers, in steps of 2^-32.
WEIGHT_BITS = 32
# The numbers of quads that a vertex of a net can have: one for each edge of its cycle
# (`cell_cases`).
_N_QUADS = (3, 4, 5, 6, 7)
_Y, _Z = 21, 42


def smooth(vertices: np.ndarray, quads: np.ndarray, n_sweeps: int) -> None:
    """Smooth closed surfaces in place by the passes of `n_sweeps` sweeps of Taubin's filter.

    vertices: (N, 3) int32, each in 3 to 7 quads. quads: (M, 4) int32. Each pass sums the
    differences corner - self over the quads of a vertex, which is exact in integers, and rounds
    once. So the result does not depend on where the coordinates start.
    """
    if n_sweeps == 0:
        return
    passes = np.array([weights(step) for step in pass_steps(n_sweeps)])
    # numpy asks the system for large pages, which numba does not: a fifth of the time to touch them
    packed = np.empty(len(vertices), dtype=np.int64)
    totals = np.zeros(len(vertices), dtype=np.int64)
    _smooth(vertices, quads, passes, packed, totals)


def weights(step: float) -> tuple[int, ...]:
    """What a sum of differences is multiplied by, for a vertex in 3, 4, 5, 6 and 7 quads.

    step: how far to move, in mean differences (`pass_steps`).
    """
    return tuple(round(step * 2.0**WEIGHT_BITS / (3 * n)) for n in _N_QUADS)


@njit(cache=True, nogil=True, allocates=False)
def corners(quads, q):
    """The corners of a quad, as uint32: numba looks whether an index with a sign is negative."""
    quad = quads[q]
    return np.uint32(quad[0]), np.uint32(quad[1]), np.uint32(quad[2]), np.uint32(quad[3])


@njit(cache=True, nogil=True)
def _smooth(vertices, quads, passes, packed, totals):
    """Do what `smooth` says. passes: the weights of each, (P, 5) int64.

    packed, totals: (N,) int64, memory to work in, `totals` zero.
    """
    for v in range(len(vertices)):
        packed[v] = _packed(vertices[v, 0], vertices[v, 1], vertices[v, 2])
    counts = np.zeros(len(vertices), dtype=np.uint8)
    for q in range(len(quads)):
        a, b, c, d = corners(quads, q)
        counts[a] += 1
        counts[b] += 1
        counts[c] += 1
        counts[d] += 1
    for weights in passes:
        _smoothing_pass(packed, totals, quads, counts, weights)
    for v in range(len(vertices)):
        before = _packed(vertices[v, 0], vertices[v, 1], vertices[v, 2])
        x, y, z = _unpacked(packed[v] - before)
        vertices[v, 0] += x
        vertices[v, 1] += y
        vertices[v, 2] += z


@njit(cache=True, nogil=True, allocates=False)
def _smoothing_pass(packed, totals, quads, counts, weights):
    """Move every vertex by the weighted sum of its differences, in place.

    packed: (N,) int64. totals: (N,) int64, zero, and zero again afterwards. counts: (N,) uint8, the
    number of quads. weights: (5,) int64, from `weights`.
    """
    for q in range(len(quads)):
        a, b, c, d = corners(quads, q)
        total = packed[a] + packed[b] + packed[c] + packed[d]
        totals[a] += total
        totals[b] += total
        totals[c] += total
        totals[d] += total
    w3, w4, w5, w6, w7 = weights[0], weights[1], weights[2], weights[3], weights[4]
    half = 1 << (WEIGHT_BITS - 1)
    for v in range(len(packed)):
        n = np.int64(counts[v])
        # instead of a table: only this becomes vector instructions, three times as fast
        weight = w3 if n == 3 else (w4 if n == 4 else (w5 if n == 5 else (w6 if n == 6 else w7)))
        x, y, z = _unpacked(totals[v] - 4 * n * packed[v])
        totals[v] = 0
        packed[v] += _packed(
            (x * weight + half) >> WEIGHT_BITS,
            (y * weight + half) >> WEIGHT_BITS,
            (z * weight + half) >> WEIGHT_BITS,
        )


@njit(cache=True, nogil=True, allocates=False)
def _packed(x, y, z):
    return np.int64(x) + (np.int64(y) << _Y) + (np.int64(z) << _Z)


@njit(cache=True, nogil=True, allocates=False)
def _unpacked(difference):
    """The x, y and z of a difference of packed positions, each from -2^20 up to 2^20."""
    x = difference << (64 - _Y) >> (64 - _Y)
    difference = (difference - x) >> _Y
    y = difference << (64 - _Y) >> (64 - _Y)
    return x, y, (difference - y) >> _Y
