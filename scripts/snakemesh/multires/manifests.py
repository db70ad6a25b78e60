"""Manifests of `neuroglancer_multilod_draco`: which fragments a label has, and where.

Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/meshes.md
(multi-resolution mesh manifest file format). Every field is a 32-bit little-endian word.
"""

import numpy as np

from snakemesh.job_records import OctreeGrid
from snakemesh.multires.octree import Nodes, demorton

# chunk_shape, grid_origin and num_lods; then per LOD a scale, a vertex offset and a count.
_FIXED_WORDS = 7
_WORDS_PER_LOD = 5
# x, y, z and size.
_WORDS_PER_NODE = 4


def encode_manifests(
    grid: OctreeGrid, kept: np.ndarray, nodes: Nodes, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Encode the manifests of all labels at once.

    `kept` is the number of LODs of each label, shape (labels,); `sizes` the bytes of each node's
    fragment, shape (nodes,), 0 for an empty one.
    Returns the words of all manifests, uint32, and where each begins: manifest l is
    `words[begin[l]:begin[l + 1]]`, with `begin` int64 of shape (labels + 1,).
    """
    lods = grid.num_lods
    group = nodes.label * lods + nodes.lod
    counts = np.bincount(group, minlength=len(kept) * lods).reshape(-1, lods)
    header = _FIXED_WORDS + _WORDS_PER_LOD * kept
    begin = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(header + _WORDS_PER_NODE * counts.sum(axis=1), out=begin[1:])
    words = np.zeros(begin[-1], np.dtype("<u4"))
    _put_headers(words, begin[:-1], grid, kept, counts)

    # Nodes are in the order of the groups: a node's rank in its group is its distance from its
    # start, and a group's words lie after those of its label's earlier groups.
    before = np.cumsum(counts.reshape(-1)) - counts.reshape(-1)
    rank = np.arange(len(group)) - before[group]
    in_label = before.reshape(-1, lods) - before.reshape(-1, lods)[:, :1]
    block = (begin[:-1] + header)[:, None] + _WORDS_PER_NODE * in_label
    at = block.reshape(-1)[group] + rank
    count = counts.reshape(-1)[group]
    cells = demorton(nodes.key)
    for column, values in enumerate((*cells.T, sizes)):
        words[at + column * count] = values
    return words, begin


def _put_headers(
    words: np.ndarray, begin: np.ndarray, grid: OctreeGrid, kept: np.ndarray, counts: np.ndarray
) -> None:
    """Write everything of each manifest that is not per node; vertex offsets stay zero."""
    shape_origin = np.array([*grid.cell_nm, *grid.origin_nm], np.dtype("<f4")).view("<u4")
    words[begin[:, None] + np.arange(6)] = shape_origin
    words[begin + 6] = kept
    scales = np.array(grid.lod_scales, np.dtype("<f4")).view("<u4")
    for lod in range(grid.num_lods):
        has = kept > lod
        at = begin[has] + _FIXED_WORDS + lod
        words[at] = scales[lod]
        words[at + 4 * kept[has]] = counts[has, lod]
