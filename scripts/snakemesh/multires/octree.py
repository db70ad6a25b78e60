"""The octree all labels share, and which of its nodes the manifest of a label lists.

Cells are x y z. An LOD-k cell spans `cell_nm * 2**k`; the parent of a cell is `cell >> 1`, and
octant `i = x + 2y + 4z` of a cell is its child `2 * cell + (x, y, z)` one LOD below.
"""

from dataclasses import dataclass

import numpy as np

# A cell is so many steps wide: the positions of its vertices are numbers of 16 bits.
CELL_STEPS = 65535
# Neuroglancer tells the octants of a cell apart here (neuroglancer_draco.cc); touching is fine.
OCTANT_PLANE = 1 << 15
# A level of detail with fewer faces than this is not worth a request.
MIN_LOD_FACES = 50
# Three coordinates of 21 bits fill a 64-bit Z-order key.
MAX_CELL = (1 << 21) - 1


@dataclass(frozen=True)
class Nodes:
    """The nodes of many manifests, ordered by label, then LOD, then Z-order; arrays of shape (n,).

    `label` indexes the labels, `key` is the Z-order key of the node's cell, `fragment` indexes the
    fragments, or is -1 where the node is empty.
    """

    label: np.ndarray
    lod: np.ndarray
    key: np.ndarray
    fragment: np.ndarray


_SPREAD = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton(cells: np.ndarray) -> np.ndarray:
    """Z-order keys, uint64 of shape (n,), of cells x y z of shape (n, 3); x is least significant.

    Raises ValueError for a coordinate of more than 21 bits.
    """
    cells = np.asarray(cells, np.uint64).reshape(-1, 3)
    if cells.size and int(cells.max()) > MAX_CELL:
        raise ValueError(f"cell coordinate {cells.max()} is beyond the last one, {MAX_CELL}")
    key = np.zeros(len(cells), np.uint64)
    for axis in range(3):
        v = cells[:, axis]
        for shift, mask in _SPREAD:
            v = (v | (v << np.uint64(shift))) & np.uint64(mask)
        key |= v << np.uint64(axis)
    return key


def demorton(keys: np.ndarray) -> np.ndarray:
    """Cells x y z, uint32 of shape (n, 3), of Z-order keys of shape (n,)."""
    keys = np.asarray(keys, np.uint64)
    cells = np.empty((len(keys), 3), np.uint32)
    masks = [mask for _, mask in _SPREAD[::-1]] + [MAX_CELL]
    for axis in range(3):
        v = (keys >> np.uint64(axis)) & np.uint64(masks[0])
        for (shift, _), mask in zip(_SPREAD[::-1], masks[1:], strict=True):
            v = (v | (v >> np.uint64(shift))) & np.uint64(mask)
        cells[:, axis] = v
    return cells


def kept_lods(faces: np.ndarray) -> np.ndarray:
    """Number of LODs each label keeps, int64 of shape (labels,), at least 1.

    `faces` of shape (labels, lods) counts the faces of each. LODs are dropped from the top while
    they have fewer than 50 faces or more than the LOD below: such a level shows nothing that the
    one below does not show as cheaply.
    """
    kept = np.full(len(faces), faces.shape[1], np.int64)
    for lod in range(faces.shape[1] - 1, 0, -1):
        poor = (faces[:, lod] < MIN_LOD_FACES) | (faces[:, lod] > faces[:, lod - 1])
        kept[poor & (kept == lod + 1)] = lod
    return kept


def manifest_nodes(
    label: np.ndarray, lod: np.ndarray, key: np.ndarray, octants: np.ndarray, kept: np.ndarray
) -> Nodes:
    """The nodes that the manifests of all labels list.

    Each fragment i is of label `label[i]` (an index into `kept`), of level `lod[i]`, in the cell
    of Z-order key `key[i]`, with geometry in the octants whose bit is set in `octants[i]`; no two
    are the same in all of label, lod and key. Label l keeps the LODs below `kept[l]`.

    The nodes are the fragments of the LODs kept, all their ancestors (the viewer descends from
    the top and would never reach a fragment whose parent is not listed), and a child for every
    octant that has geometry (the viewer draws an octant of a coarse fragment as long as no child
    covers it, so where the finer level has nothing an empty child must). Ancestors need no
    children for their own sake as they draw nothing, nor do empty children: both are covered by
    taking, from LOD 0 up, the union of fragments, parents of the nodes below and octants above.
    """
    levels = []
    below_label, below_key = np.empty(0, np.int64), np.empty(0, np.uint64)
    used = lod < kept[label]
    for level in range(int(kept.max(initial=0))):
        own = np.flatnonzero(used & (lod == level))
        above = np.flatnonzero(used & (lod == level + 1))
        parent, octant = np.nonzero(np.unpackbits(octants[above, None], axis=1, bitorder="little"))
        above = above[parent]
        climbs = kept[below_label] > level
        labels = np.concatenate([label[own], below_label[climbs], label[above]])
        keys = np.concatenate(
            [
                key[own],
                below_key[climbs] >> np.uint64(3),
                (key[above] << np.uint64(3)) | octant.astype(np.uint64),
            ]
        )
        fragments = np.full(len(keys), -1, np.int64)
        fragments[: len(own)] = own
        # The sort is stable, so that of equal nodes the one with the fragment comes first.
        order = np.lexsort((keys, labels))
        labels, keys = labels[order], keys[order]
        first = np.ones(len(order), bool)
        first[1:] = (labels[1:] != labels[:-1]) | (keys[1:] != keys[:-1])
        below_label, below_key = labels[first], keys[first]
        levels.append(
            (below_label, np.full(len(below_key), level), below_key, fragments[order[first]])
        )
    if not levels:
        return Nodes(below_label, np.empty(0, np.int64), below_key, np.empty(0, np.int64))
    columns = [np.concatenate(column) for column in zip(*levels, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Nodes(*(column[order] for column in columns))
