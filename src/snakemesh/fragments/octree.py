"""The octree that all labels share, and the nodes of it that the manifest of a label lists.

Cells are x y z. A cell of LOD k spans `cell_nm * 2**k`. The parent of a cell is `cell >> 1`, one
LOD above. Octant `i = x + 2y + 4z` of a cell is its child `2 * cell + (x, y, z)`, one LOD below.
"""

from dataclasses import dataclass

import numpy as np

# The width of a cell in steps. Positions of vertices in a cell are numbers of 16 bits.
CELL_STEPS = 65535
# The step at which Neuroglancer (neuroglancer_draco.cc) divides a cell into octants. A triangle may
# touch this plane but must not cross it.
OCTANT_PLANE = 1 << 15
# An LOD with fewer faces than this is not worth a request of the viewer.
MIN_LOD_FACES = 50
# Nor is an LOD if the next finer one has fewer bytes than this: the viewer fetches all coarser LODs
# of what it shows, so each LOD costs requests also where it is not shown. A larger number means
# fewer requests for views from near, and more bytes for views from afar (docs/measurements.md).
MIN_FINER_BYTES = 1000
# A Z-order key of 64 bits has room for three coordinates of 21 bits.
MAX_CELL = (1 << 21) - 1

# Shifts and masks that move the bits of a 21-bit number apart, to every third bit.
_SPREAD = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


@dataclass(frozen=True)
class Nodes:
    """The nodes of many manifests, ordered by label, then LOD, then Z-order.

    All arrays have shape (n,). `label` is an index into the labels. `key` is the Z-order key of the
    node's cell. `fragment` is an index into the fragments, or -1 if the node is empty.
    """

    label: np.ndarray
    lod: np.ndarray
    key: np.ndarray
    fragment: np.ndarray


def morton(cells: np.ndarray) -> np.ndarray:
    """The Z-order keys of cells: their coordinates with interleaved bits, x least significant.

    `cells` is x y z of shape (n, 3). Returns uint64 of shape (n,).
    Raises ValueError if a coordinate has more than 21 bits.
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
    """The cells, x y z, uint32 of shape (n, 3), of Z-order keys of shape (n,)."""
    keys = np.asarray(keys, np.uint64)
    cells = np.empty((len(keys), 3), np.uint32)
    masks = [mask for _, mask in _SPREAD[::-1]] + [MAX_CELL]
    for axis in range(3):
        v = (keys >> np.uint64(axis)) & np.uint64(masks[0])
        for (shift, _), mask in zip(_SPREAD[::-1], masks[1:], strict=True):
            v = (v | (v >> np.uint64(shift))) & np.uint64(mask)
        cells[:, axis] = v
    return cells


def kept_lods(faces: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The number of LODs that each label keeps: int64 of shape (labels,), at least 1.

    `faces` and `sizes` are the faces and the bytes of each label at each LOD, shape (labels, lods).
    The first LOD with fewer than MIN_FINER_BYTES bytes is the last one. LODs are also dropped from
    the top while they have fewer than MIN_LOD_FACES faces, or more faces than the next finer LOD,
    which shows no less with fewer faces.
    """
    is_small = sizes < MIN_FINER_BYTES
    first_small = is_small.argmax(axis=1) + 1
    kept: np.ndarray = np.where(is_small.any(axis=1), first_small, faces.shape[1]).astype(np.int64)
    for lod in range(faces.shape[1] - 1, 0, -1):
        poor = (faces[:, lod] < MIN_LOD_FACES) | (faces[:, lod] > faces[:, lod - 1])
        kept[poor & (kept == lod + 1)] = lod
    return kept


def manifest_nodes(
    label: np.ndarray, lod: np.ndarray, key: np.ndarray, octants: np.ndarray, kept: np.ndarray
) -> Nodes:
    """The nodes that the manifests of all labels list.

    The arrays of fragments have shape (n,). Fragment i belongs to label `label[i]`, an index into
    `kept`, and to LOD `lod[i]`. It lies in the cell with Z-order key `key[i]`. It has geometry in
    the octants whose bits are set in `octants[i]` (uint8). No two fragments are equal in label,
    LOD and key. Label l keeps the LODs below `kept[l]`.

    The nodes of a label are
    - the fragments of the LODs that it keeps;
    - all ancestors of these fragments, up to the top LOD that it keeps. The viewer descends from
      the top and would never reach a fragment whose parent is not listed;
    - a child for every octant of a fragment above LOD 0 that has geometry. The viewer draws an
      octant of a coarse fragment as long as no child covers it. If the finer LOD has nothing
      there, an empty child must cover it.
    Ancestors and children without a fragment draw nothing, so they need no children of their own.
    The nodes of an LOD are therefore the union of three sets: its fragments, the parents of the
    nodes one LOD below, and the octants with geometry of the fragments one LOD above.
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
        # The sort is stable: of equal nodes, the one with a fragment comes first and is kept.
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
