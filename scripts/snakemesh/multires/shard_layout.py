"""Where every fragment and manifest of a shard goes, from the records alone."""

from dataclasses import dataclass

import numpy as np

from snakemesh.job_records import OctreeGrid
from snakemesh.multires.manifests import encode_manifests
from snakemesh.multires.octree import CELL_STEPS, kept_lods, manifest_nodes, morton
from snakemesh.multires.sections import Sections

# One label of a shard. `volume` (nm^3), `area` (nm^2) and `faces` are the sums over its LOD-0
# fragments, `lower` and `upper` (x y z, nm) their bounds, `lods` the number of LODs it keeps.
SUMMARY = np.dtype(
    [
        ("label", "<u8"),
        ("volume", "<f8"),
        ("area", "<f8"),
        ("faces", "<u4"),
        ("lower", "<f8", (3,)),
        ("upper", "<f8", (3,)),
        ("lods", "u1"),
    ]
)


@dataclass(frozen=True)
class ShardLayout:
    """Where everything of a shard goes; offsets are bytes, int64.

    The labels ascend, and each one's fragments (LOD 0 first, Z-order within a LOD) are followed by
    its manifest: the data of label l begin at `data_begin[l]`, its manifest at `manifest_begin[l]`
    and the next label's data after that; both have one more entry than there are labels, `end`.
    Fragment i of the sections goes to `destination[i]`, or nowhere (-1) if its LOD is dropped.
    Manifest l is `words[word_begin[l]:word_begin[l + 1]]`.
    """

    labels: np.ndarray
    data_begin: np.ndarray
    manifest_begin: np.ndarray
    destination: np.ndarray
    words: np.ndarray
    word_begin: np.ndarray
    summary: np.ndarray


def lay_out(sections: Sections, grid: OctreeGrid, begin: int) -> ShardLayout:
    """Decide where everything goes, the first byte at `begin`.

    Labels without geometry at LOD 0 get no mesh: nothing of them would be left when looked at
    closely, and the viewer takes an object's bounds from LOD 0.
    """
    records = sections.records
    lods = grid.num_lods
    keys = morton(records["cell"])
    order = np.lexsort((keys, sections.lods, records["label"]))
    labels, owner = _number_runs(records["label"][order])
    at_base = np.bincount(owner[sections.lods[order] == 0], minlength=len(labels)) > 0
    order = order[at_base[owner]]
    labels, owner = _number_runs(records["label"][order])
    lod, key, size = sections.lods[order], keys[order], records["size"][order]
    faces = np.bincount(
        owner * lods + lod, weights=records["faces"][order], minlength=len(labels) * lods
    ).reshape(-1, lods)
    kept = kept_lods(faces)
    _refuse_duplicates(records[order], owner, lod, key)

    nodes = manifest_nodes(owner, lod, key, records["octants"][order], kept)
    has_bytes = nodes.fragment >= 0
    sizes = np.zeros(len(nodes.label), np.int64)
    sizes[has_bytes] = size[nodes.fragment[has_bytes]]
    words, word_begin = encode_manifests(grid, kept, nodes, sizes)

    ends = np.concatenate([[0], np.cumsum(sizes)])
    first_node = np.searchsorted(nodes.label, np.arange(len(labels) + 1))
    # Before label l lie the bytes of all earlier nodes and manifests.
    data_begin = begin + ends[first_node] + 4 * word_begin
    manifest_begin = data_begin.copy()
    manifest_begin[:-1] += np.diff(ends[first_node])
    target = np.full(len(order), -1, np.int64)
    target[nodes.fragment[has_bytes]] = (begin + ends[:-1] + 4 * word_begin[nodes.label])[has_bytes]
    destination = np.full(len(records), -1, np.int64)
    destination[order] = target
    summary = _summarize(records[order[lod == 0]], labels, owner[lod == 0], kept, grid)
    return ShardLayout(labels, data_begin, manifest_begin, destination, words, word_begin, summary)


def _number_runs(ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of an ascending array, and the number of its value for each entry."""
    new = np.ones(len(ascending), bool)
    new[1:] = ascending[1:] != ascending[:-1]
    return ascending[new], np.cumsum(new) - 1


def _refuse_duplicates(
    records: np.ndarray, owner: np.ndarray, lod: np.ndarray, key: np.ndarray
) -> None:
    """Raise ValueError where two fragments of one label fill one cell."""
    same = (owner[1:] == owner[:-1]) & (lod[1:] == lod[:-1]) & (key[1:] == key[:-1])
    if same.any():
        twice = int(np.flatnonzero(same)[0])
        raise ValueError(
            f"two containers hold the fragment of label {records['label'][twice]} in cell "
            f"{records['cell'][twice].tolist()} of LOD {lod[twice]}"
        )


def _summarize(
    base: np.ndarray, labels: np.ndarray, owner: np.ndarray, kept: np.ndarray, grid: OctreeGrid
) -> np.ndarray:
    """One SUMMARY row per label from its LOD-0 records `base`, which are ordered by label."""
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
