"""Manifests of `neuroglancer_multilod_draco`: which fragments a label has, and in which cells.

Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/meshes.md
(multi-resolution mesh manifest file format). Every field is a little-endian word of 32 bits:

    chunk_shape x y z   grid_origin x y z   num_lods
    scale of each LOD
    vertex offset x y z of each LOD
    number of nodes of each LOD
    per LOD: x of all its nodes, y of all, z of all, then the fragment's bytes of all
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.fragments.octree import Nodes, demorton
from snakemesh.job_records import OctreeGrid

WORD_BYTES = 4
_FIXED_WORDS = 7  # chunk_shape, grid_origin, num_lods
_WORDS_PER_LOD = 5  # scale, vertex offset, number of nodes
_WORDS_PER_NODE = 4  # x, y, z, bytes


@dataclass(frozen=True)
class Manifest:
    """The manifest of one label.

    cell_nm, origin_nm: of the grid at LOD 0, x y z, float64. vertex_offsets: per LOD, x y z in nm.
    Positions are those before the `transform` of `info`.
    cells: per LOD, the cell of each node, x y z, int64 of shape (nodes, 3). sizes: per LOD, the
    bytes of the fragment of each node, int64 of shape (nodes,); 0 for an empty node.
    """

    cell_nm: np.ndarray
    origin_nm: np.ndarray
    vertex_offsets: np.ndarray
    cells: tuple[np.ndarray, ...]
    sizes: tuple[np.ndarray, ...]

    @property
    def num_lods(self) -> int:
        """The number of LODs."""
        return len(self.sizes)

    def bytes_before(self, lod: int) -> int:
        """The bytes of the fragments of all finer LODs, which come first; of all, for num_lods."""
        return sum(int(sizes.sum()) for sizes in self.sizes[:lod])


def parse_manifest(data: bytes) -> Manifest:
    """A manifest from its bytes. Raises ValueError if its length contradicts its numbers."""
    if len(data) % WORD_BYTES or len(data) < WORD_BYTES * _FIXED_WORDS:
        raise ValueError(f"a manifest cannot have {len(data)} bytes")
    words = np.frombuffer(data, "<u4")
    floats = words.view("<f4").astype(np.float64)
    lods = int(words[6])
    at = _FIXED_WORDS + _WORDS_PER_LOD * lods
    if at > len(words):
        raise ValueError(f"a manifest of {lods} LODs has {len(data)} bytes")
    offsets = floats[_FIXED_WORDS + lods : at - lods].reshape(lods, 3)
    cells, sizes = [], []
    for count in words[at - lods : at].tolist():
        if at + _WORDS_PER_NODE * count > len(words):
            raise ValueError(f"a manifest has {len(data)} bytes and more nodes than fit in")
        block = words[at : at + _WORDS_PER_NODE * count].astype(np.int64).reshape(4, count)
        cells.append(block[:3].T)
        sizes.append(block[3])
        at += _WORDS_PER_NODE * count
    if at != len(words):
        raise ValueError(f"a manifest has {len(data)} bytes, expected {WORD_BYTES * at}")
    return Manifest(floats[:3], floats[3:6], offsets, tuple(cells), tuple(sizes))


def encode_manifests(
    grid: OctreeGrid,
    kept: np.ndarray,
    nodes: Nodes,
    sizes: np.ndarray,
    shift: np.ndarray,
    scales: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode the manifests of all labels at once.

    `kept` is the number of LODs that each label keeps, shape (labels,). `sizes` is the number of
    bytes of each node's fragment, shape (nodes,); it is 0 for an empty node. `shift` is how far the
    grid of each label begins beyond that of the octree, x y z in nm, shape (labels, 3): the
    vertices are shifted back. Positions are relative to `grid.base_nm`, so that they are small
    enough for 32 bits. `scales` is that of each LOD of each label, float32 of shape (labels, lods).
    Returns `words` and `begin`. `words` holds the words of all manifests, uint32. Manifest l is
    `words[begin[l]:begin[l + 1]]`; `begin` is int64 of shape (labels + 1,).
    """
    lods = grid.num_lods
    group = nodes.label * lods + nodes.lod
    counts = np.bincount(group, minlength=len(kept) * lods).reshape(-1, lods)
    header = _FIXED_WORDS + _WORDS_PER_LOD * kept
    begin = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(header + _WORDS_PER_NODE * counts.sum(axis=1), out=begin[1:])
    words = np.zeros(begin[-1], np.dtype("<u4"))
    _put_headers(words, begin[:-1], grid, kept, counts, shift, scales)

    # A group is the nodes of one LOD of one label. The nodes are ordered by group, so a node's rank
    # in its group is its distance from the first node of the group. The words of a group follow
    # those of the earlier groups of its label.
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
    words: np.ndarray,
    begin: np.ndarray,
    grid: OctreeGrid,
    kept: np.ndarray,
    counts: np.ndarray,
    shift: np.ndarray,
    scales: np.ndarray,
) -> None:
    """Write all words of each manifest except those of its nodes."""
    corner = np.subtract(grid.origin_nm, grid.base_nm).astype(np.float32).astype(float)
    origin = (corner + shift).astype("<f4")
    # what the rounding of the origin has taken is given back here
    offset = (corner - origin).astype("<f4").view("<u4")
    words[begin[:, None] + np.arange(3)] = np.array(grid.cell_nm, np.dtype("<f4")).view("<u4")
    words[begin[:, None] + np.arange(3, 6)] = origin.view("<u4")
    words[begin + 6] = kept
    scale_words = np.ascontiguousarray(scales, np.dtype("<f4")).view("<u4")
    for lod in range(grid.num_lods):
        has = kept > lod
        at = begin[has] + _FIXED_WORDS + lod
        words[at] = scale_words[has, lod]
        words[(at + kept[has] + 2 * lod)[:, None] + np.arange(3)] = offset[has]
        words[at + 4 * kept[has]] = counts[has, lod]
