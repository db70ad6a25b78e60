"""Coarser levels of a volume, as the programs of others make them: good ones and wrong ones.

Every maker takes labels and a factor, z y x, and returns ceil(n / factor) voxels on each axis.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from snakemesh.pyramid.downsample import downsample

Factor = tuple[int, int, int]


def cubes_of(labels: np.ndarray, factor: Factor) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """The index of every voxel of a level, and the voxels of its cube."""
    for index in np.ndindex(*(-(-n // f) for n, f in zip(labels.shape, factor, strict=True))):
        yield (
            index,
            labels[tuple(slice(i * f, i * f + f) for i, f in zip(index, factor, strict=True))],
        )


def of_each_cube(labels, factor, rule: Callable[[np.ndarray], int]) -> np.ndarray:
    """A level that has what a rule makes of each cube."""
    level = np.zeros([-(-n // f) for n, f in zip(labels.shape, factor, strict=True)], labels.dtype)
    for index, cube in cubes_of(labels, factor):
        level[index] = rule(cube)
    return level


def _most_frequent(last: bool) -> Callable[[np.ndarray], int]:
    def rule(cube):
        found, counts = np.unique(cube, return_counts=True)
        return found[counts == counts.max()][-1 if last else 0]

    return rule


def mode(labels, factor):
    return of_each_cube(labels, factor, _most_frequent(False))


def mode_of_larger(labels, factor):
    """Of equally frequent labels the largest."""
    return of_each_cube(labels, factor, _most_frequent(True))


def mode_suppress_zero(labels, factor):
    def rule(cube):
        return _most_frequent(False)(cube[cube != 0]) if cube.any() else 0

    return of_each_cube(labels, factor, rule)


def mode_of_modes(labels, factor):
    """Halved again and again."""
    while max(factor) > 1:
        step = tuple(min(f, 2) for f in factor)
        labels = downsample(labels, [step], "mode")[0]
        factor = tuple(f // s for f, s in zip(factor, step, strict=True))
    return labels


def first(labels, factor):
    return labels[tuple(slice(None, None, f) for f in factor)]


def _at(labels, factor, offset):
    """The voxel of each cube at an offset, or its last one where the volume ends before."""
    axes = (
        np.minimum(np.arange(0, n, f) + o, n - 1)
        for n, f, o in zip(labels.shape, factor, offset, strict=True)
    )
    return labels[np.ix_(*axes)]


def middle(labels, factor):
    return _at(labels, factor, [f // 2 for f in factor])


def last(labels, factor):
    return _at(labels, factor, [f - 1 for f in factor])


def by_centre(labels, factor):
    """As skimage's `resize` of order 0 picks voxels, halved again and again."""
    while max(factor) > 1:
        step = [min(f, 2) for f in factor]
        sizes = [(n, -(-n // s)) for n, s in zip(labels.shape, step, strict=True)]
        axes = (np.rint((np.arange(m) + 0.5) * n / m - 0.5).astype(int) for n, m in sizes)
        labels = labels[np.ix_(*axes)]
        factor = tuple(f // s for f, s in zip(factor, step, strict=True))
    return labels


def anyone(labels, factor):
    rng = np.random.default_rng(5)
    return of_each_cube(labels, factor, lambda cube: rng.choice(cube.ravel()))


def padded(labels, factor):
    """Votes in a volume that is filled up with background to whole cubes, as WEBKNOSSOS does."""
    ends = [(0, -n % f) for n, f in zip(labels.shape, factor, strict=True)]
    return mode(np.pad(labels, ends), factor)


def binary(labels, factor):
    return of_each_cube(labels, factor, lambda cube: 2 * np.count_nonzero(cube) > cube.size)


# The methods of `downsample`, from their definitions.
BY_METHOD = {
    **{"mode": mode, "mode_suppress_zero": mode_suppress_zero},
    **{"binary": binary, "nearest": first},
}
GOOD = [
    *(mode, mode_of_larger, mode_suppress_zero, mode_of_modes, padded),
    *(first, middle, last, by_centre, anyone),
]


def averaged(labels, factor):
    return of_each_cube(labels, factor, lambda cube: np.rint(cube.mean()))


def shifted(axis: int, by: int):
    def maker(labels, factor):
        level = np.roll(mode(labels, factor), by, axis)
        level[(slice(None),) * axis + ((0 if by > 0 else -1),)] = 0
        return level

    maker.__name__ = f"shifted_{'zyx'[axis]}{by:+d}"
    return maker


def relabelled(labels, factor):
    """Made of the same bodies with other numbers."""
    return mode(np.where(labels, labels + labels.dtype.type(1000), 0).astype(labels.dtype), factor)


def swapped(labels, factor):
    """Made when two of the bodies had each other's number."""
    a, b = np.unique(labels[labels > 0])[[0, -1]]
    level = mode(labels, factor)
    return np.where(level == a, b, np.where(level == b, a, level))


def all_zero(labels, factor):
    return np.zeros_like(first(labels, factor))


def largest(labels, factor):
    return of_each_cube(labels, factor, np.max)


def smallest(labels, factor):
    return of_each_cube(labels, factor, np.min)


def grown(labels, factor):
    """Every body grown by a voxel of the level."""
    level = mode(labels, factor)
    padding = np.pad(level, 1)
    found = level.copy()
    for step in itertools.product((0, 1, 2), repeat=3):
        near = padding[tuple(slice(s, s + n) for s, n in zip(step, level.shape, strict=True))]
        found = np.where(found == 0, near, found)
    return found


WRONG = [
    *(averaged, relabelled, swapped, all_zero, largest, smallest, grown),
    *(shifted(axis, by) for axis in range(3) for by in (-1, 1)),
]
