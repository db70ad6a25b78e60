"""Voxels of a coarser level, each beside the cube of voxels of s0 that it covers. Arrays are z y x.

A level may be made by votes or of one voxel of every cube: each of its voxels has a label of its
cube. Levels that were averaged, lie elsewhere or hold other labels break this rule. Those of the
smallest or the largest labels of all cubes keep it. So do missing chunks where bodies fill no cube.
These differ from the votes in one direction, which shows in cubes that are looked at one by one.
"""

import math
from functools import reduce

import numpy as np

from snakemesh.boxes import Shape

# Voxels of s0 in the cubes of a box that are looked at one by one.
_ROW_VOXELS = 1 << 17
# A level that takes any voxel of a cube loses against the votes at times. It does not lose in so
# many cubes and in the same direction each time.
_NO_ACCIDENT = 16


def whole_cubes(labels: np.ndarray, factor: Shape) -> np.ndarray:
    """Labels with their last voxels repeated, so that the cubes that their end cuts are whole."""
    missing = [(0, -n % f) for n, f in zip(labels.shape, factor, strict=True)]
    return np.pad(labels, missing, mode="edge") if any(map(any, missing)) else labels


def is_cut(shape: Shape, factor: Shape) -> np.ndarray:
    """For each cube of labels of this shape, whether their end cuts it."""
    z, y, x = ((np.arange(-(-n // f)) + 1) * f > n for n, f in zip(shape, factor, strict=True))
    return z[:, None, None] | y[:, None] | x


def compared(cubes: np.ndarray, level: np.ndarray, factor: Shape) -> tuple[np.ndarray, np.ndarray]:
    """For each voxel of a level, whether its cube has its label, and whether it has others too.

    cubes: labels in whole cubes. level: one voxel for each.
    """
    nz, ny, nx = level.shape
    fz, fy, fx = factor
    rows = cubes.reshape(nz, fz, ny, fy, nx * fx)
    same = rows == np.repeat(level, fx, axis=2)[:, None, :, None, :]
    some, every = same.any(axis=1).any(axis=2), same.all(axis=1).all(axis=2)
    occurs = reduce(np.logical_or, (some[..., i::fx] for i in range(fx)))
    alone = reduce(np.logical_and, (every[..., i::fx] for i in range(fx)))
    return occurs, occurs & ~alone


def rows_of(cubes: np.ndarray, which: np.ndarray, factor: Shape) -> np.ndarray:
    """The voxels of some cubes, a row for each. which: their indices, (n, 3)."""
    sides = [m for n, f in zip(cubes.shape, factor, strict=True) for m in (n // f, f)]
    rows: np.ndarray = cubes.reshape(sides).transpose(0, 2, 4, 1, 3, 5)[tuple(which.T)]
    return rows.reshape(len(which), math.prod(factor))


def some_of(which: np.ndarray, factor: Shape) -> np.ndarray:
    """Indices (n, 3) of the cubes that are set, evenly, as many as are looked at one by one."""
    found = np.argwhere(which)
    most = max(_ROW_VOXELS // math.prod(factor), 1)
    chosen: np.ndarray = found[:: max(-(-len(found) // most), 1)]
    return chosen


def label_votes(rows: np.ndarray) -> np.ndarray:
    """In each row, the number of voxels of the most frequent label, background left out."""
    ordered = np.sort(rows, axis=1)
    is_first = np.ones(ordered.shape, bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    at = np.arange(ordered.shape[1])
    run = at - np.maximum.accumulate(np.where(is_first, at, 0), axis=1) + 1
    votes: np.ndarray = np.where(ordered == 0, 0, run).max(axis=1)
    return votes


def lacks_bodies(rows: np.ndarray) -> bool:
    """Whether background in all of these cubes (n, voxels) goes against their votes."""
    return _is_outvoted(rows, np.zeros(len(rows), rows.dtype), label_votes(rows))


def _is_outvoted(rows: np.ndarray, values: np.ndarray, votes: np.ndarray) -> bool:
    """Whether values of rows lose against these votes, and are no voxel of the same place in each.

    The voxel at one place loses in the same direction where bodies are few and lie alike.
    """
    same = rows == values[:, None]
    n_lost = np.count_nonzero(same.sum(axis=1) < votes)
    return bool(n_lost >= _NO_ACCIDENT and not same.all(axis=0).any())


class Extremes:
    """Whether a level has the smallest label of every cube, or the largest, against the votes."""

    def __init__(self) -> None:
        # of cubes with several labels: their voxels, and what the level has there
        self._kept: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"smallest": [], "largest": []}

    @property
    def are_possible(self) -> bool:
        """Whether the cubes so far leave it open."""
        return bool(self._kept)

    def add(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Add cubes (n, voxels) that hold several values, and the voxels of the level (n,)."""
        most = rows.max(axis=1)
        # background is the smallest, and loses against each label where the largest wins
        has_two = np.where(rows == 0, most[:, None], rows).min(axis=1) < most
        for name, which, extreme in (
            ("smallest", slice(None), rows.min(axis=1)),
            ("largest", has_two, most),
        ):
            if (values != extreme)[which].any():
                self._kept.pop(name, None)
            elif name in self._kept:
                self._kept[name].append((rows[which], values[which]))

    def found(self) -> str | None:
        """Which one it has, "smallest" or "largest"; None for any other level."""
        for name, kept in self._kept.items():
            if kept:
                rows, values = map(np.concatenate, zip(*kept, strict=True))
                votes = label_votes(rows)
                if name == "smallest":
                    votes = np.maximum(votes, (rows == 0).sum(axis=1))
                if _is_outvoted(rows, values, votes):
                    return name
        return None
