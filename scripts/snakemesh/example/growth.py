"""How the thin processes of the synthetic neuropil grow, in integers only like ``example_kernels``.

A process advances in small steps. Every few of them it looks a little ahead in random directions,
and turns to the one that is free of other processes and nearest to a border between two cells.
"""

import math

import numpy as np
from numba import njit

from snakemesh.example.kernels import NM, VOXEL

DIRECTION = 4096  # length of a direction
STEP = 8 * NM  # length of one step
_VZ, _VY, _VX = VOXEL
_DEEP = 240  # a margin (see ``partition``) that no foreign process goes beyond
_TURN_EVERY = 4  # steps
_TURNS = 32  # directions tried, ever wilder
_DRIFT = 640  # pull towards the heading a process was given, against DIRECTION
_REACH = 80 * NM  # how far outside the volume a process is followed


@njit(cache=True, nogil=True)
def _direction(z, y, x):
    """The direction of a vector."""
    length = int(math.sqrt(z * z + y * y + x * x)) + 1
    return z * DIRECTION // length, y * DIRECTION // length, x * DIRECTION // length


@njit(cache=True, nogil=True)
def _bounds(centre, radius, voxel, n):
    """The voxels on one axis within ``radius`` of ``centre``, clipped to the array."""
    return max(-((radius - centre) // voxel), 0), min((centre + radius) // voxel + 1, n)


@njit(cache=True, nogil=True)
def _is_clear(owner, label, centre, radius):
    """Whether no process but ``label`` has a voxel in the ball."""
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


@njit(cache=True, nogil=True)
def _paint(owner, rough, label, centre, radius):
    """Give the free voxels of a ball with an uneven surface to ``label``."""
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


@njit(cache=True, nogil=True)
def _jitter(words, cursor, amplitude):
    return (int(words[cursor % len(words)] & np.uint64(2047)) - 1024) * amplitude


@njit(cache=True, nogil=True)
def _turn(owner, cells, margin, label, here, going, heading, radius, words, cursor):
    """The next direction: free of other processes, near the border of two cells, not too sharp.

    Returns zeros when there is no way on.
    """
    best, chosen = 1 << 30, (0, 0, 0)
    ahead = radius + radius // 2 + 32 * NM
    clearance = (label % 3) * 8 * NM  # some processes touch, others keep apart
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
    """Grow one unbranched process, a step per entry of ``radii``, until it is stuck or outside.

    ``start`` z y x; ``heading`` a direction (length ``DIRECTION``); ``words`` random uint64, read
    from ``cursor`` on. Voxels go to ``owner``. Returns the positions, (steps, 3).
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
