"""The layout of a shard: where every fragment and manifest goes. It needs only the records."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from snakemesh.fragments.octree import CELL_STEPS, Nodes, kept_lods, manifest_nodes, morton
from snakemesh.fragments.sections import Sections
from snakemesh.job_records import OctreeGrid
from snakemesh.multires.counts import centroids, totals_of
from snakemesh.multires.lod_scales import lod_errors, lod_scales
from snakemesh.multires.manifests import WORD_BYTES, encode_manifests
from snakemesh.multires.shape import principal_axes, sphericity
from snakemesh.tables.measures import SUMMARY, lods_dtype

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
    label; so has `by_lod`, of `lods_dtype`. `lods` has dtype LOD_SUMS, one row per LOD of the
    octree.
    """

    labels: np.ndarray
    data_begin: np.ndarray
    manifest_begin: np.ndarray
    destination: np.ndarray
    words: np.ndarray
    word_begin: np.ndarray
    summary: np.ndarray
    by_lod: np.ndarray
    lods: np.ndarray


def lay_out(
    sections: Sections,
    grid: OctreeGrid,
    begin: int,
    counts: np.ndarray,
    min_voxels: int,
) -> ShardLayout:
    """Lay out the fragments and manifests of a shard from byte `begin` on.

    A label without geometry at LOD 0 gets no mesh. It would vanish when the viewer comes close, and
    the viewer takes the bounds of an object from LOD 0. Nor does a label that has fewer than
    `min_voxels` voxels, as `counts` says (TOTAL, of ascending labels).
    Raises ValueError if two containers hold the same fragment.
    """
    chosen = _select(sections, counts, min_voxels, grid.num_lods)
    nodes = manifest_nodes(
        chosen.owner, chosen.lod, chosen.key, chosen.records["octants"], chosen.kept
    )
    records, shape = chosen.records, (len(chosen.labels), grid.num_lods)
    errors = lod_errors(records["square"], records["area"], chosen.group, shape)
    words, word_begin = _manifests(chosen, nodes, grid, errors)
    placed = _place(chosen, nodes, word_begin, begin)
    destination = np.full(len(sections.records), -1, np.int64)
    destination[chosen.order] = placed.target
    is_written = placed.target >= 0
    return ShardLayout(
        chosen.labels,
        placed.data_begin,
        placed.manifest_begin,
        destination,
        words,
        word_begin,
        _summarize(chosen, counts, grid),
        _by_lod(chosen, errors),
        _sum_by_lod(chosen, is_written, grid.num_lods),
    )


@dataclass(frozen=True)
class _Chosen:
    """The fragments of the labels that get a mesh, by label, LOD and Z-order.

    order: which of the sections' records they are. owner: the index of the label of each. kept: the
    number of LODs of each label. lods: of the octree. The rest has an entry for each fragment.
    """

    labels: np.ndarray
    kept: np.ndarray
    order: np.ndarray
    records: np.ndarray
    owner: np.ndarray
    lod: np.ndarray
    key: np.ndarray
    lods: int

    @property
    def base(self) -> tuple[np.ndarray, np.ndarray]:
        """The records at LOD 0, and the first of them of each label."""
        owner = self.owner[self.lod == 0]
        return self.records[self.lod == 0], np.searchsorted(owner, np.arange(len(self.labels)))

    @property
    def group(self) -> np.ndarray:
        """A number for the label and the LOD of each fragment."""
        number: np.ndarray = self.owner * self.lods + self.lod
        return number

    def sums(self, number: np.ndarray) -> np.ndarray:
        """The sums of a number of each fragment, (labels, LODs)."""
        entries = len(self.labels) * self.lods
        found: np.ndarray = np.bincount(self.group, weights=number, minlength=entries)
        return found.reshape(-1, self.lods)


def _select(sections: Sections, counts: np.ndarray, min_voxels: int, lods: int) -> _Chosen:
    """The fragments of labels that are at LOD 0 and have enough voxels."""
    records, keys = sections.records, morton(sections.records["cell"])
    order = np.lexsort((keys, sections.lods, records["label"]))
    labels, owner = _number_runs(records["label"][order])
    at_base = np.bincount(owner[sections.lods[order] == 0], minlength=len(labels)) > 0
    is_wanted = at_base & (totals_of(labels, counts)["voxels"] >= min_voxels)
    order = order[is_wanted[owner]]
    labels, owner = _number_runs(records["label"][order])
    found = records[order]
    chosen = _Chosen(
        labels, np.empty(0), order, found, owner, sections.lods[order], keys[order], lods
    )
    _refuse_duplicates(chosen)
    kept = kept_lods(chosen.sums(found["faces"]), chosen.sums(found["size"]))
    return replace(chosen, kept=kept)


def _manifests(
    chosen: _Chosen, nodes: Nodes, grid: OctreeGrid, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The words of all manifests, and where each begins. errors: (labels, LODs), nm."""
    base, first = chosen.base
    shift = _centring_shifts(nodes, base[["lower", "upper"]][first], grid)
    scales = lod_scales(errors / grid.scale_nm)
    return encode_manifests(grid, chosen.kept, nodes, _sizes(chosen, nodes), shift, scales)


def _sizes(chosen: _Chosen, nodes: Nodes) -> np.ndarray:
    """The bytes of the fragment of each node; 0 for one without a fragment."""
    sizes = np.zeros(len(nodes.label), np.int64)
    has_bytes = nodes.fragment >= 0
    sizes[has_bytes] = chosen.records["size"][nodes.fragment[has_bytes]]
    return sizes


class _Places(NamedTuple):
    """Places in the shard, in bytes. target: of each fragment; -1 for one that is left out."""

    data_begin: np.ndarray
    manifest_begin: np.ndarray
    target: np.ndarray


def _place(chosen: _Chosen, nodes: Nodes, word_begin: np.ndarray, begin: int) -> _Places:
    """Where fragments and manifests go. The bytes of all earlier labels lie before a label's."""
    ends = np.concatenate([[0], np.cumsum(_sizes(chosen, nodes))])
    first_node = np.searchsorted(nodes.label, np.arange(len(chosen.labels) + 1))
    data_begin = begin + ends[first_node] + WORD_BYTES * word_begin
    manifest_begin = data_begin.copy()
    manifest_begin[:-1] += np.diff(ends[first_node])
    target = np.full(len(chosen.order), -1, np.int64)
    has_bytes = nodes.fragment >= 0
    node_begin = begin + ends[:-1] + WORD_BYTES * word_begin[nodes.label]
    target[nodes.fragment[has_bytes]] = node_begin[has_bytes]
    return _Places(data_begin, manifest_begin, target)


def _number_runs(ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of an ascending array, and for each entry the index of its value."""
    new = np.ones(len(ascending), bool)
    new[1:] = ascending[1:] != ascending[:-1]
    return ascending[new], np.cumsum(new) - 1


def _refuse_duplicates(chosen: _Chosen) -> None:
    """Raise ValueError if two fragments of one label lie in one cell."""
    group, key = chosen.group, chosen.key
    same = (group[1:] == group[:-1]) & (key[1:] == key[:-1])
    if same.any():
        twice = int(np.flatnonzero(same)[0])
        record = chosen.records[twice]
        raise ValueError(
            f"two containers hold the fragment of label {record['label']} in cell "
            f"{record['cell'].tolist()} of LOD {chosen.lod[twice]}"
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


def _sum_by_lod(chosen: _Chosen, is_written: np.ndarray, lods: int) -> np.ndarray:
    """LOD_SUMS of the fragments that are written."""
    sums = np.zeros(lods, LOD_SUMS)
    lod, records = chosen.lod[is_written], chosen.records[is_written]
    sums["labels"] = (chosen.kept[:, None] > np.arange(lods)).sum(axis=0)
    sums["fragments"] = np.bincount(lod, minlength=lods)
    for number, field in (("faces", "faces"), ("bytes", "size")):
        # whole numbers, which float64 holds up to 2^53
        sums[number] = np.bincount(lod, weights=records[field], minlength=lods)
    return sums


def _by_lod(chosen: _Chosen, errors: np.ndarray) -> np.ndarray:
    """`lods_dtype` of each label. errors: (labels, LODs), nm."""
    found = np.zeros(len(chosen.labels), lods_dtype(chosen.lods))
    found["label"], found["lods"], found["error"] = chosen.labels, chosen.kept, errors
    found["fragments"] = chosen.sums(np.ones(len(chosen.records)))
    fields = {"faces": "faces", "bytes": "size", "volume": "volume", "area": "area"}
    for column, field in fields.items():
        # float64, which holds whole numbers up to 2^53
        found[column] = chosen.sums(chosen.records[field])
    return found


def _summarize(chosen: _Chosen, counts: np.ndarray, grid: OctreeGrid) -> np.ndarray:
    """SUMMARY of each label, from its records at LOD 0."""
    summary = np.zeros(len(chosen.labels), SUMMARY)
    totals = totals_of(chosen.labels, counts)
    summary["voxels"], summary["border"] = totals["voxels"], totals["border"]
    summary["axes"], summary["direction"] = principal_axes(totals, grid)
    summary["centroid"] = centroids(totals, grid)
    if not len(chosen.labels):
        return summary
    base, first = chosen.base
    summary["label"], summary["lods"] = chosen.labels, chosen.kept
    for field in ("volume", "area", "faces"):
        summary[field] = np.add.reduceat(base[field], first)
    summary["sphericity"] = sphericity(summary["volume"], summary["area"])
    origin, cell = np.array(grid.origin_nm), np.array(grid.cell_nm)
    lower = origin + cell * (base["cell"] + base["lower"] / CELL_STEPS)
    upper = origin + cell * (base["cell"] + base["upper"] / CELL_STEPS)
    summary["lower"] = np.minimum.reduceat(lower, first)
    summary["upper"] = np.maximum.reduceat(upper, first)
    return summary
