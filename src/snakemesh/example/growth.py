"""How the thin processes of the synthetic neuropil grow.

A process advances in small steps. Every few steps it looks a little ahead in random directions. It
turns to the direction that is free of other processes and nearest to a border between two cells.

As in `kernels`, all arithmetic is in integers, triples are z, y, x, and lengths are in 1/16 nm.
"""

import math

import numpy as np

from snakemesh.example.kernels import NM, VOXEL
from snakemesh.kernels.compiled import njit

DIRECTION = 4096  # the length of a vector that is a direction
STEP = 8 * NM  # the length of one step
_VZ, _VY, _VX = VOXEL
_DEEP = 240  # outside its own cell, a process turns to no point with a greater margin
_TURN_EVERY = 4  # a process looks for a new direction after so many steps
_TURNS = 32  # so many directions are tried, each further from the present one on average
_DRIFT = 640  # weight of the heading at the start, if the present direction has weight DIRECTION
_REACH = 80 * NM  # a process is followed this far outside the volume


@njit(cache=True, nogil=True, allocates=False)
def _direction(z, y, x):
    """The vector scaled to the length DIRECTION, or a little less because of rounding."""
    length = int(math.sqrt(z * z + y * y + x * x)) + 1
    return z * DIRECTION // length, y * DIRECTION // length, x * DIRECTION // length


@njit(cache=True, nogil=True, allocates=False)
def _bounds(centre, radius, voxel, n):
    """The first voxel on an axis within `radius` of `centre`, and the one after the last.

    Both are clipped to the array: `n` voxels of size `voxel`.
    """
    return max(-((radius - centre) // voxel), 0), min((centre + radius) // voxel + 1, n)


@njit(cache=True, nogil=True, allocates=False)
def _is_clear(owner, label, centre, radius):
    """Whether no process of another label has a voxel in the ball."""
    z0, z1 = _bounds(centre[0], radius, _VZ, owner.shape[0])
    y0, y1 = _bounds(centre[1], radius, _VY, owner.shape[1])
    x0, x1 = _bounds(centre[2], radius, _VX, owner.shape[2])
    for z in range(z0, z1):
        for y in range(y0, y1):
            left = radius**2 - (z * _VZ - centre[0]) ** 2 - (y * _VY - centre[1]) ** 2
            for x in range(x0, x1):
                there = owner[z, y, x]
                if there != 0 and there != label and (x * _VX - centre[2]) ** 2 <= left:
                    return False
    return True


@njit(cache=True, nogil=True, allocates=False)
def _paint(owner, rough, label, centre, radius):
    """Give the free voxels of a ball to `label`. The noise `rough` makes its surface uneven."""
    outer = radius + radius // 4
    z0, z1 = _bounds(centre[0], outer, _VZ, owner.shape[0])
    y0, y1 = _bounds(centre[1], outer, _VY, owner.shape[1])
    x0, x1 = _bounds(centre[2], outer, _VX, owner.shape[2])
    for z in range(z0, z1):
        for y in range(y0, y1):
            d = (z * _VZ - centre[0]) ** 2 + (y * _VY - centre[1]) ** 2
            for x in range(x0, x1):
                limit = radius**2 * (256 + int(rough[z, y, x])) >> 8
                if owner[z, y, x] == 0 and d + (x * _VX - centre[2]) ** 2 <= limit:
                    owner[z, y, x] = label


@njit(cache=True, nogil=True, allocates=False)
def _jitter(words, cursor, amplitude):
    """A random number from -1024 * amplitude to 1023 * amplitude."""
    return (int(words[cursor % len(words)] & np.uint64(2047)) - 1024) * amplitude


@njit(cache=True, nogil=True, allocates=False)
def _turn(owner, cells, margin, label, here, going, heading, radius, words, cursor):
    """The next direction, or zeros if no direction is free of other processes.

    Among the free ones, directions near a border of two cells and without a sharp turn are better.
    """
    best, chosen = 1 << 30, (0, 0, 0)
    ahead = radius + radius // 2 + 32 * NM
    clearance = (label % 3) * 8 * NM  # labels that are multiples of 3 may touch other processes
    for t in range(_TURNS):
        dz, dy, dx = _direction(
            going[0]
            + heading[0] * _DRIFT // DIRECTION
            + _jitter(words, cursor + 3 * t, t + 2) // 3,
            going[1]
            + heading[1] * _DRIFT // DIRECTION
            + _jitter(words, cursor + 3 * t + 1, t + 2) // 3,
            going[2]
            + heading[2] * _DRIFT // DIRECTION
            + _jitter(words, cursor + 3 * t + 2, t + 2) // 3,
        )
        there = (
            here[0] + dz * ahead // DIRECTION,
            here[1] + dy * ahead // DIRECTION,
            here[2] + dx * ahead // DIRECTION,
        )
        cost = 6 * t
        z, y, x = there[0] // _VZ, there[1] // _VY, there[2] // _VX
        inside = 0 <= z < owner.shape[0] and 0 <= y < owner.shape[1] and 0 <= x < owner.shape[2]
        if inside and cells[z, y, x] != label:
            if margin[z, y, x] > _DEEP:
                continue
            cost += int(margin[z, y, x])
        if cost < best and _is_clear(owner, label, there, radius + clearance):
            best, chosen = cost, (dz, dy, dx)
    return chosen


@njit(cache=True, nogil=True)
def grow(owner, cells, margin, rough, label, start, heading, radii, words, cursor):
    """Grow one unbranched process until it is stuck, is outside, or has made all its steps.

    owner: int16, the label of the process that each voxel belongs to, or 0; the voxels of the new
    process are written to it. cells, margin, rough: see `kernels.partition`. start: position.
    heading: a direction. radii: the radius at each step, int64 of shape (n,). words: random uint64,
    read from index `cursor` on and, at the end, from the first one again.

    Returns the positions after each step, int64 of shape (steps, 3).
    """
    path = np.empty((len(radii), 3), np.int64)
    z, y, x = start[0], start[1], start[2]
    end_z, end_y, end_x = owner.shape[0] * _VZ, owner.shape[1] * _VY, owner.shape[2] * _VX
    heading = (heading[0], heading[1], heading[2])
    going, towards = heading, heading
    for n in range(len(radii)):
        if n % _TURN_EVERY == 0:
            at = cursor + 3 * _TURNS * n
            towards = _turn(
                owner, cells, margin, label, (z, y, x), going, heading, radii[n], words, at
            )
            if towards == (0, 0, 0):
                return path[:n]
        dz, dy, dx = going
        going = _direction(3 * dz + towards[0], 3 * dy + towards[1], 3 * dx + towards[2])
        z += going[0] * STEP // DIRECTION
        y += going[1] * STEP // DIRECTION
        x += going[2] * STEP // DIRECTION
        if min(z, y, x) < -_REACH or max(z - end_z, y - end_y, x - end_x) > _REACH:
            return path[:n]
        _paint(owner, rough, label, (z, y, x), radii[n])
        path[n, 0], path[n, 1], path[n, 2] = z, y, x
    return path
