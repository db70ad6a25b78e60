"""The measures and contacts of one small body, computed again from its voxels in another way.

Nothing is cut into blocks here. Arrays are boxes of voxels, z y x, in which the body lies whole.
Where the box ends beside the body, the volume ends.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from snakemesh.verify.pieces import groups

# As docs/output.md defines thickness: distances count up to this many of the shortest sides, and
# may grow by this part of the way to a neighbour of a voxel on a ridge.
REACH = 32
SLOPE = 0.1
_AROUND = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])


class Contact(NamedTuple):
    """The voxel faces between a body and another label.

    faces: how many. patches: how many parts of them share no edge. centres: (patches, 3), of each
    the mean of the centres of its faces, z y x in voxels from the corner of the box.
    """

    faces: int
    patches: int
    centres: np.ndarray


def number_of_components(own: np.ndarray) -> int:
    """How many parts of a mask touch nowhere, not even at a corner."""
    at, width = np.argwhere(own) + 1, tuple(n + 2 for n in own.shape)
    keys: np.ndarray = np.asarray(np.ravel_multi_index(tuple(at.T), width))
    begin, end = [], []
    for step in _AROUND[:13]:
        other = np.ravel_multi_index(tuple((at + step).T), width)
        place = np.minimum(np.searchsorted(keys, other), len(keys) - 1)
        is_own = keys[place] == other
        begin.append(np.flatnonzero(is_own))
        end.append(place[is_own])
    return len(np.unique(groups(len(at), np.concatenate(begin), np.concatenate(end))))


def thickness(
    own: np.ndarray, sides: np.ndarray, slopes: Sequence[float] = (SLOPE,)
) -> list[tuple[float, float]]:
    """Mean thickness of a mask, and the one that 95 % of its voxels on ridges do not exceed.

    sides: (3,) of a voxel, z y x; the unit of the answer. slopes: the answer has a pair for each.
    """
    shortest = sides.min()
    at = np.argwhere(own)
    distance = _distances(own, sides / shortest)
    around = np.full(np.array(own.shape) + 2, -np.inf)
    around[tuple((at + 1).T)] = distance
    growth = np.full(len(at), -np.inf)
    for step in _AROUND:
        way = np.linalg.norm(step * sides / shortest)
        growth = np.maximum(growth, (around[tuple((at + 1 + step).T)] - distance) / way)
    found = []
    for slope in slopes:
        halves = np.minimum(np.floor(4 * distance[growth <= slope] + 0.5), 4 * REACH)
        most = np.sort(halves)[-(-19 * len(halves) // 20) - 1]
        found.append((float(halves.mean() * shortest / 2), float(most * shortest / 2)))
    return found


def _distances(own: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """The distance of each voxel of a mask to the nearest other voxel of the box, at most REACH.

    sides: (3,), z y x. Around each voxel, ever farther voxels are looked at.
    """
    reach = (REACH / sides).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1)
    steps = steps.reshape(-1, 3)
    lengths = np.linalg.norm(steps * sides, axis=1)
    nearest = np.argsort(lengths)[: np.count_nonzero(lengths < REACH)]
    other = np.pad(~own, np.stack([reach, reach], axis=1))
    shifts = steps[nearest] @ np.array([other[0].size, other.shape[2], 1])
    places = np.ravel_multi_index(tuple((np.argwhere(own) + reach).T), other.shape)
    distance, left = np.full(len(places), float(REACH)), np.arange(len(places))
    for length, shift in zip(lengths[nearest].tolist(), shifts.tolist(), strict=True):
        is_near = other.reshape(-1)[places + shift]
        distance[left[is_near]] = length
        left, places = left[~is_near], places[~is_near]
        if not len(left):
            break
    return distance


def contacts(labels: np.ndarray, label: int) -> dict[int, Contact]:
    """The contacts of a label in a box of labels, by the other label; 0 is the background."""
    own, faces, others = labels == label, [], []
    for axis in range(3):
        upper, lower = (
            (slice(None),) * axis + (slice(1, None),),
            (slice(None),) * axis + (slice(-1),),
        )
        for ours, theirs in ((upper, lower), (lower, upper)):
            at = np.argwhere(own[ours] & ~own[theirs])
            others.append(labels[theirs][tuple(at.T)])
            # in half voxels
            faces.append(2 * at + 1 + (np.arange(3) == axis))
    centres, of = np.concatenate(faces), np.concatenate(others)
    return {int(other): _contact(centres[of == other]) for other in np.unique(of)}


def _contact(centres: np.ndarray) -> Contact:
    """A contact from the centres of its faces, (n, 3) in half voxels."""
    # a centre is even across its face, and the middle of an edge is a step along the face away
    face, axis = np.nonzero(centres % 2)
    step = np.eye(3, dtype=np.int64)[axis]
    edges = np.concatenate([centres[face] - step, centres[face] + step])
    owner = np.concatenate([face, face])
    _, number = np.unique(edges, axis=0, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    same = np.flatnonzero(np.diff(number.ravel()[order]) == 0)
    root = groups(len(centres), owner[order[same]], owner[order[same + 1]])
    means = [centres[root == patch].mean(axis=0) / 2 for patch in np.unique(root)]
    return Contact(len(centres), len(means), np.array(means))
