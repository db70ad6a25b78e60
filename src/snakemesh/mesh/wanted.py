"""Which labels are meshed: all that the lists of the configuration do not leave out.

The others count as background before surfaces are extracted.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.ascending import find
from snakemesh.boxes import ceil_div, indices, triple
from snakemesh.fragments.container import COUNT
from snakemesh.label_list import LIST_KEYS
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.voxel_moments import moments_of, voxel_moments, with_second_moments


@dataclass(frozen=True)
class Lists:
    """The lists of labels, uint64, ascending, each None where the configuration has none.

    targets: `target_ids`, the only labels to mesh. excluded: `exclude_ids`, labels not to mesh.
    """

    targets: np.ndarray | None
    excluded: np.ndarray | None


def left_out_by(labels: np.ndarray, lists: Lists) -> np.ndarray:
    """Which list leaves out each of these labels: the field `left_out` of COUNT, uint8 (n,).

    labels: uint64 of shape (n,). A label in both lists is left out: `exclude_ids` wins.
    """
    found = np.zeros(len(labels), np.uint8)
    if lists.targets is not None:
        found[~find(lists.targets, labels)[1]] = 1 + LIST_KEYS.index("target_ids")
    if lists.excluded is not None:
        found[find(lists.excluded, labels)[1]] = 1 + LIST_KEYS.index("exclude_ids")
    return found


def only_wanted(labels: CompactLabels, lists: Lists) -> CompactLabels:
    """The labels of a tile without those that are left out, which become background."""
    is_wanted = left_out_by(labels.names, lists) == 0
    if is_wanted[1:].all():
        return labels
    is_wanted[0] = True
    numbers = np.where(is_wanted, np.cumsum(is_wanted) - 1, 0).astype(np.uint32)
    return CompactLabels(numbers[labels.numbers], labels.names[is_wanted])


def count_voxels(
    labels: CompactLabels,
    origin: tuple[int, int, int],
    shape: tuple[int, int, int],
    lists: Lists,
    first_cell: tuple[int, int, int],
    cell_voxels: tuple[int, int, int],
    voxels_of_s0: int = 1,
) -> np.ndarray:
    """The voxels of each label in each cell of a tile: COUNT, by cell, then label.

    labels: of the tile with its halo. origin, shape: z y x, the tile in that array. first_cell: z
    y x, the first cell of the tile in the octree. cell_voxels: z y x, voxels of a cell: powers of
    two up to 1024, so that the moments are exact. voxels_of_s0: in a voxel of `labels`; second
    moments and border are only counted where it is 1.
    """
    found = [np.zeros(0, COUNT)]
    for index in indices(ceil_div(shape, cell_voxels)):
        begin = triple(i * c for i, c in zip(index, cell_voxels, strict=True))
        cell = triple(f + i for f, i in zip(first_cell, index, strict=True))
        size = triple(min(c, n - b) for c, n, b in zip(cell_voxels, shape, begin, strict=True))
        place = triple(map(sum, zip(origin, begin, strict=True)))
        ids, sums, second = with_second_moments(labels, place, size)
        counts = np.zeros(len(ids), COUNT)
        counts["label"], counts["cell"] = ids, cell[::-1]
        counts["voxels"] = sums[:, 0] * voxels_of_s0
        moments = sums[:, 1:] / cell_voxels[::-1] + sums[:, :1] * cell[::-1]
        counts["moment"] = moments * voxels_of_s0
        if voxels_of_s0 == 1:
            counts["second"] = second * _units_of_second(cell_voxels)
            counts["border"] = _at_border(labels, ids, sums[:, 0], place, size)
        counts["left_out"] = left_out_by(ids, lists)
        found.append(counts)
    return np.concatenate(found)


def _units_of_second(cell_voxels: tuple[int, int, int]) -> np.ndarray:
    """The units of `second` in a twelfth of a voxel along two axes, (6,) int64. z y x."""
    z, y, x = cell_voxels
    pairs = np.array([x * x, y * y, z * z, x * y, x * z, y * z])
    return np.asarray((1 << 20) // pairs)


def _at_border(
    labels: CompactLabels,
    ids: np.ndarray,
    voxels: np.ndarray,
    begin: tuple[int, int, int],
    shape: tuple[int, int, int],
) -> np.ndarray:
    """How many voxels of the labels in a box lie at the border of the volume, (n,) float64.

    ids, voxels: the labels, ascending, and how many voxels each has in the box. begin, shape: z y
    x, the box in the array of `labels`, which holds a halo wherever the volume goes on.
    """
    low = triple(max(b, 1) for b in begin)
    high = [
        min(b + n, numbers - 3)  # `numbers` is two voxels longer than the array
        for b, n, numbers in zip(begin, shape, labels.numbers.shape, strict=True)
    ]
    inner = triple(max(h - b, 0) for b, h in zip(low, high, strict=True))
    if inner == shape:
        return np.zeros(len(ids))
    return np.asarray(voxels - moments_of(ids, *voxel_moments(labels, low, inner))[:, 0])
