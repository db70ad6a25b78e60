"""Whether the coarser levels of the input itself show what its s0 shows.

Whichever way a level was made, each of its voxels has a label of the cube of s0 that it covers.
Planning compares a sample. Here s0 is read anyway, and every voxel is compared. Arrays are z y x.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemesh.job_records import OwnLevel, VerifyJob
from snakemesh.verify.failures import MOST_NAMED, Failures
from snakemesh.verify.voxels import labels_in, opened

# A voxel of a level: its index in what is meshed, its label, and whether its cube has this label,
# as far as the cube was read.
VOXEL = np.dtype([("level", "u1"), ("at", "<i8", (3,)), ("label", "<u8"), ("occurs", "?")])
# For a level: the voxels that were compared, and those whose label is not in their cube.
SUMS = np.dtype([("level", "u1"), ("voxels", "<u8"), ("foreign", "<u8")])


@dataclass(frozen=True)
class LevelFindings:
    """What was found in a part of s0.

    sums: SUMS by level, without voxels in `partial`. foreign: VOXEL, the first ones of each level.
    partial: VOXEL, all those whose cubes go on in other parts.
    """

    sums: np.ndarray
    foreign: np.ndarray
    partial: np.ndarray


class LevelChecks:
    """Compares the levels of the input with s0, piece by piece of a box."""

    def __init__(self, job: VerifyJob) -> None:
        self._levels = [(level, opened(level.reads)) for level in job.own_levels]
        self._shape = job.reads.shape
        self._found: list[LevelFindings] = []

    def add(self, voxels: np.ndarray, corner: Sequence[int]) -> None:
        """Compare a piece of s0. corner: of its first voxel in what is meshed."""
        for level, store in self._levels:
            sides = zip(corner, voxels.shape, level.factor, strict=True)
            box = [slice(b // f, -(-(b + n) // f)) for b, n, f in sides]
            labels = labels_in(store, level.reads, box)
            self._found.append(compare_piece(level, labels, voxels, corner, self._shape))

    def save(self, path: Path) -> None:
        """Write what was found in all pieces."""
        found = merged(self._found)
        with open(path, "wb") as file:
            np.savez(file, sums=found.sums, foreign=found.foreign, partial=found.partial)


def compare_piece(
    level: OwnLevel,
    labels: np.ndarray,
    voxels: np.ndarray,
    corner: Sequence[int],
    shape: Sequence[int],
) -> LevelFindings:
    """Compare a piece of s0 with the voxels of a level whose cubes it touches.

    labels: these voxels. voxels: of s0, from `corner` on. shape: of s0, as far as it is meshed.
    """
    first = [b // f for b, f in zip(corner, level.factor, strict=True)]
    is_whole, is_cut = np.ones(labels.shape, bool), np.zeros(labels.shape, bool)
    for axis, (begin, factor, end) in enumerate(zip(corner, level.factor, shape, strict=True)):
        start = (np.arange(labels.shape[axis]) + first[axis]) * factor
        stop = start + factor
        whole = (start >= begin) & (np.minimum(stop, end) <= begin + voxels.shape[axis])
        along = [-1 if a == axis else 1 for a in range(3)]
        is_whole &= whole.reshape(along)
        is_cut |= (stop > end).reshape(along)
    # some programs fill up the last cubes with background
    occurs = occurring(voxels, corner, labels, level.factor) | (is_cut & (labels == 0))
    is_foreign = is_whole & ~occurs

    def voxels_at(index: np.ndarray) -> np.ndarray:
        found = np.zeros(len(index), VOXEL)
        found["level"], found["at"] = level.number, index + first
        found["label"], found["occurs"] = labels[tuple(index.T)], occurs[tuple(index.T)]
        return found

    numbers = (level.number, np.count_nonzero(is_whole), np.count_nonzero(is_foreign))
    return LevelFindings(
        sums=np.array([numbers], SUMS),
        foreign=voxels_at(np.argwhere(is_foreign)[:MOST_NAMED]),
        partial=voxels_at(np.argwhere(~is_whole)),
    )


def occurring(
    voxels: np.ndarray, corner: Sequence[int], labels: np.ndarray, factor: Sequence[int]
) -> np.ndarray:
    """For each voxel of a level, whether s0 has its label in the part of its cube that is given.

    voxels: of s0, from `corner` on. labels: of the level, all whose cubes these touch.
    """
    sides = zip(corner, voxels.shape, factor, strict=True)
    cubes = [(b + np.arange(n)) // f - b // f for b, n, f in sides]
    lengths = [np.bincount(cube) for cube in cubes]
    starts = [np.cumsum(length) - length for length in lengths]
    found = np.zeros(labels.shape, bool)
    for z, plane in enumerate(labels):
        wide = plane.repeat(lengths[1], axis=0).repeat(lengths[2], axis=1)
        same = np.zeros(wide.shape, bool)
        for voxel_plane in voxels[starts[0][z] : starts[0][z] + lengths[0][z]]:
            same |= voxel_plane == wide
        rows = np.logical_or.reduceat(same, starts[1], axis=0)
        found[z] = np.logical_or.reduceat(rows, starts[2], axis=1)
    return found


def merged(findings: Iterable[LevelFindings]) -> LevelFindings:
    """What was found in several parts together."""
    parts = list(findings)
    sums = np.concatenate([np.empty(0, SUMS), *(part.sums for part in parts)])
    numbers = np.unique(sums["level"])
    total = np.zeros(len(numbers), SUMS)
    total["level"] = numbers
    for field in ("voxels", "foreign"):
        np.add.at(total[field], np.searchsorted(numbers, sums["level"]), sums[field])
    foreign = np.concatenate([np.empty(0, VOXEL), *(part.foreign for part in parts)])
    partial = np.concatenate([np.empty(0, VOXEL), *(part.partial for part in parts)])
    return LevelFindings(total, _first(foreign), _joined(partial))


def _first(voxels: np.ndarray) -> np.ndarray:
    """The first voxels of each level, as many as are named. voxels: VOXEL."""
    firsts = [voxels[voxels["level"] == k][:MOST_NAMED] for k in np.unique(voxels["level"])]
    return np.concatenate([np.empty(0, VOXEL), *firsts])


def _joined(voxels: np.ndarray) -> np.ndarray:
    """Each voxel once, whose label occurs if it does in any part of its cube. voxels: VOXEL."""
    keys = np.column_stack([voxels["level"], voxels["at"]])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    found = voxels[first]
    np.logical_or.at(found["occurs"], group.reshape(-1), voxels["occurs"])
    return found


def check_levels(paths: Sequence[str], failures: Failures) -> np.ndarray:
    """What was found in all boxes together: SUMS by level. Every foreign voxel is a failure.

    paths: what `LevelChecks.save` has written.
    """
    parts = []
    for path in paths:
        with np.load(path) as kept:
            parts.append(LevelFindings(kept["sums"], kept["foreign"], kept["partial"]))
    found = merged(parts)
    lost = found.partial[~found.partial["occurs"]]
    for sums in found.sums:
        sums["voxels"] += np.count_nonzero(found.partial["level"] == sums["level"])
        sums["foreign"] += np.count_nonzero(lost["level"] == sums["level"])
    if count := int(found.sums["foreign"].sum()):
        named = [
            f"level s{voxel['level']} has label {voxel['label']} at voxel {voxel['at'].tolist()}, "
            "which s0 does not have there"
            for voxel in _first(np.concatenate([found.foreign, lost]))[:MOST_NAMED]
        ]
        failures.merge({"count": {"levels": count}, "named": {"levels": named}})
    return found.sums
