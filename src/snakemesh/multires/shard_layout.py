"""The layout of a shard: where every fragment and manifest goes. It needs only the records."""

from dataclasses import dataclass

import numpy as np

from snakemesh.fragments.container import NO_COUNTS
from snakemesh.fragments.octree import CELL_STEPS, Nodes, kept_lods, manifest_nodes, morton
from snakemesh.fragments.sections import Sections
from snakemesh.job_records import OctreeGrid
from snakemesh.multires.counts import centroids_of, voxels_of
from snakemesh.multires.lod_scales import lod_errors, lod_scales
from snakemesh.multires.manifests import WORD_BYTES, encode_manifests
from snakemesh.tables.measures import SUMMARY

# A row per LOD: sums over the labels of a shard that have a mesh there. bytes: of fragments.
LOD_SUMS = np.dtype([(name, "<u8") for name in ("labels", "fragments", "faces", "bytes")])


@dataclass(frozen=True)
class ShardLayout:
    """The place of every fragment and manifest of a shard. Places are byte positions, int64.

    `labels` ascend (uint64). For each label come its fragments, LOD 0 first and in Z-order within
    an LOD, then its manifest. Fragments of label l begin at `data_begin[l]`, its manifest begins at
    `manifest_begin[l]`, and the fragments of the next label follow. Both arrays have shape
    (labels + 1,); their last entry is the end of the last manifest.
    Fragment i of the sections goes to `destination[i]`; this is -1 if it is left out. Manifest l is
    `words[word_begin[l]:word_begin[l + 1]]`, uint32. `summary` has dtype SUMMARY, one row per
    label. `lods` has dtype LOD_SUMS, one row per LOD of the octree.
    """

    labels: np.ndarray
    data_begin: np.ndarray
    manifest_begin: np.ndarray
    destination: np.ndarray
    words: np.ndarray
    word_begin: np.ndarray
    summary: np.ndarray
    lods: np.ndarray


def lay_out(
    sections: Sections,
    grid: OctreeGrid,
    begin: int,
    counts: np.ndarray = NO_COUNTS,
    min_voxels: int = 0,
) -> ShardLayout:
    """Lay out the fragments and manifests of a shard from byte `begin` on.

    A label without geometry at LOD 0 gets no mesh. It would vanish when the viewer comes close, and
    the viewer takes the bounds of an object from LOD 0. Nor does a label that has fewer than
    `min_voxels` voxels, as `counts` says (COUNT, of ascending labels).
    Raises ValueError if two containers hold the same fragment.
    """
    records = sections.records
    lods = grid.num_lods
    keys = morton(records["cell"])
    order = np.lexsort((keys, sections.lods, records["label"]))
    labels, owner = _number_runs(records["label"][order])
    at_base = np.bincount(owner[sections.lods[order] == 0], minlength=len(labels)) > 0
    is_wanted = at_base & (voxels_of(labels, counts) >= min_voxels)
    order = order[is_wanted[owner]]
    labels, owner = _number_runs(records["label"][order])
    lod, key, size = sections.lods[order], keys[order], records["size"][order]
    faces, sizes = (
        np.bincount(owner * lods + lod, weights=number, minlength=len(labels) * lods)
        for number in (records["faces"][order], size)
    )
    kept = kept_lods(faces.reshape(-1, lods), sizes.reshape(-1, lods))
    _refuse_duplicates(records[order], owner, lod, key)

    nodes = manifest_nodes(owner, lod, key, records["octants"][order], kept)
    has_bytes = nodes.fragment >= 0
    node_sizes = np.zeros(len(nodes.label), np.int64)
    node_sizes[has_bytes] = size[nodes.fragment[has_bytes]]
    base, base_owner = order[lod == 0], owner[lod == 0]
    first = base[np.searchsorted(base_owner, np.arange(len(labels)))]
    shift = _centring_shifts(nodes, records[["lower", "upper"]][first], grid)
    squares, areas = (records[name][order] for name in ("square", "area"))
    errors = lod_errors(squares, areas, owner * lods + lod, (len(labels), lods))
    scales = lod_scales(errors / grid.scale_nm)
    words, word_begin = encode_manifests(grid, kept, nodes, node_sizes, shift, scales)

    ends = np.concatenate([[0], np.cumsum(node_sizes)])
    first_node = np.searchsorted(nodes.label, np.arange(len(labels) + 1))
    # The bytes of all nodes and manifests of earlier labels lie before label l.
    data_begin = begin + ends[first_node] + WORD_BYTES * word_begin
    manifest_begin = data_begin.copy()
    manifest_begin[:-1] += np.diff(ends[first_node])
    target = np.full(len(order), -1, np.int64)
    node_begin = begin + ends[:-1] + WORD_BYTES * word_begin[nodes.label]
    target[nodes.fragment[has_bytes]] = node_begin[has_bytes]
    destination = np.full(len(records), -1, np.int64)
    destination[order] = target
    summary = _summarize(records[base], labels, base_owner, kept, grid)
    summary["voxels"] = voxels_of(labels, counts)
    summary["centroid"] = centroids_of(labels, counts, grid)
    written = nodes.fragment[has_bytes]
    sums = _sum_by_lod(lod[written], records[order[written]], kept, lods)
    return ShardLayout(
        labels, data_begin, manifest_begin, destination, words, word_begin, summary, sums
    )


def _number_runs(ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of an ascending array, and for each entry the index of its value."""
    new = np.ones(len(ascending), bool)
    new[1:] = ascending[1:] != ascending[:-1]
    return ascending[new], np.cumsum(new) - 1


def _refuse_duplicates(
    records: np.ndarray, owner: np.ndarray, lod: np.ndarray, key: np.ndarray
) -> None:
    """Raise ValueError if two fragments of one label lie in one cell.

    The arrays are sorted by label, LOD and key.
    """
    same = (owner[1:] == owner[:-1]) & (lod[1:] == lod[:-1]) & (key[1:] == key[:-1])
    if same.any():
        twice = int(np.flatnonzero(same)[0])
        raise ValueError(
            f"two containers hold the fragment of label {records['label'][twice]} in cell "
            f"{records['cell'][twice].tolist()} of LOD {lod[twice]}"
        )


def _centring_shifts(nodes: Nodes, first: np.ndarray, grid: OctreeGrid) -> np.ndarray:
    """How far the grid of each manifest begins beyond the octree's: x y z in nm, (labels, 3).

    Neuroglancer moves to the middle of the cells that a manifest lists at LOD 0. So a label with
    one node at each LOD gets a grid in which its cell has the bounding box of LOD 0 in the middle.
    The cell then holds the label, as it must: the viewer draws nothing whose cell is out of view.
    A label with more nodes stays where it is, because each of its cells must hold its own part.

    first: the bounds of the first record at LOD 0 of each label, shape (labels,).
    """
    lods = grid.num_lods
    group = nodes.label * lods + nodes.lod
    counts = np.bincount(group, minlength=len(first) * lods).reshape(-1, lods)
    is_alone = counts.max(axis=1, initial=0) == 1
    cell = np.array(grid.cell_nm)
    # Shifts are multiples of a power of two, at most 2^16 of them, so that float32 holds them.
    step = 2.0 ** (np.frexp(cell)[1] - 17)
    middle = (first["lower"].astype(float) + first["upper"]) / (2 * CELL_STEPS)
    return np.where(is_alone[:, None], np.rint((middle - 0.5) * cell / step) * step, 0.0)


def _sum_by_lod(lod: np.ndarray, records: np.ndarray, kept: np.ndarray, lods: int) -> np.ndarray:
    """LOD_SUMS. lod, records: of each fragment that is written. kept: the LODs of each label."""
    sums = np.zeros(lods, LOD_SUMS)
    sums["labels"] = (kept[:, None] > np.arange(lods)).sum(axis=0)
    sums["fragments"] = np.bincount(lod, minlength=lods)
    for number, field in (("faces", "faces"), ("bytes", "size")):
        # whole numbers, which float64 holds up to 2^53
        sums[number] = np.bincount(lod, weights=records[field], minlength=lods)
    return sums


def _summarize(
    base: np.ndarray, labels: np.ndarray, owner: np.ndarray, kept: np.ndarray, grid: OctreeGrid
) -> np.ndarray:
    """The summary: one row per label, from its records at LOD 0.

    base: these records, ordered by label. owner: for each of them the index of its label.
    """
    summary = np.zeros(len(labels), SUMMARY)
    if not len(labels):
        return summary
    first = np.searchsorted(owner, np.arange(len(labels)))
    summary["label"], summary["lods"] = labels, kept
    for field in ("volume", "area", "faces"):
        summary[field] = np.add.reduceat(base[field], first)
    origin, cell = np.array(grid.origin_nm), np.array(grid.cell_nm)
    lower = origin + cell * (base["cell"] + base["lower"] / CELL_STEPS)
    upper = origin + cell * (base["cell"] + base["upper"] / CELL_STEPS)
    summary["lower"] = np.minimum.reduceat(lower, first)
    summary["upper"] = np.maximum.reduceat(upper, first)
    return summary
