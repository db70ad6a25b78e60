"""Where two labels touch in the whole volume, from the parts of patches that tiles see."""

from collections.abc import Iterator, Sequence

import numpy as np

from snakemesh.boxes import Nanometres
from snakemesh.fragments.contact import AREA_STEPS, CONTACT
from snakemesh.tables.measures import TOUCHING

# Parts of patches that are joined at once, 250 bytes each; more if one label has more.
_PARTS_AT_ONCE = 1 << 18


def pairs_that_touch(
    parts: Sequence[np.ndarray], origin_nm: Nanometres, voxel_nm: Nanometres
) -> np.ndarray:
    """The pairs of labels that touch: TOUCHING, ascending by the two labels.

    parts: CONTACT of all tiles, in any number of arrays and any order. origin_nm: the corner of the
    volume. voxel_nm: the size of a voxel of s0. Both are x y z. Raises ValueError if a part of a
    patch is missing.
    """
    found = [np.zeros(0, TOUCHING)]
    found += [_pairs_of(whole_patches(rows), origin_nm, voxel_nm) for rows in _by_labels(parts)]
    return np.concatenate(found)


def _by_labels(parts: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """The rows of all parts, range by range of labels: those of a label are in the same array."""
    parts = [rows[np.argsort(rows["label"], kind="stable")] for rows in parts]
    labels, counts = np.unique(
        np.concatenate([np.zeros(0, np.uint64), *(rows["label"] for rows in parts)]),
        return_counts=True,
    )
    batch = np.cumsum(counts) // _PARTS_AT_ONCE
    begins = labels[np.flatnonzero(np.diff(batch, prepend=-1))].tolist()
    for begin, end in zip(begins, [*begins[1:], None][: len(begins)], strict=True):
        places = [np.searchsorted(rows["label"], np.uint64(begin)) for rows in parts]
        ends = [
            len(rows) if end is None else np.searchsorted(rows["label"], np.uint64(end))
            for rows in parts
        ]
        yield np.concatenate([r[i:j] for r, i, j in zip(parts, places, ends, strict=True)])


def _pairs_of(patches: np.ndarray, origin_nm: Nanometres, voxel_nm: Nanometres) -> np.ndarray:
    """TOUCHING of all pairs of labels. patches: at least one, as `whole_patches` has them."""
    is_new = np.ones(len(patches), bool)
    is_new[1:] = np.any([np.diff(patches[field]) != 0 for field in ("label", "other")], axis=0)
    pair = np.flatnonzero(is_new)
    largest, voxel = patches[pair], np.array(voxel_nm)
    found = np.zeros(len(pair), TOUCHING)
    for field in ("label", "other"):
        found[field] = largest[field]
    unit = np.cbrt(voxel.prod()) ** 2 / AREA_STEPS
    found["area"] = np.add.reduceat(patches["area"], pair) * unit
    found["faces"] = np.add.reduceat(patches["faces"], pair)
    found["patches"] = np.diff(pair, append=len(patches))
    halves = largest["moment"] / largest["faces"][:, None]
    found["centroid"] = np.array(origin_nm) + voxel / 2 * halves
    return found


def whole_patches(parts: np.ndarray) -> np.ndarray:
    """The patches of which tiles see parts: CONTACT with the sums of each. parts: in any order.

    Ascending by the two labels, and the patches of a pair by falling area, then by what they hold.
    Raises ValueError if a part of a patch is missing.
    """
    faces, rows = np.unique(np.stack([parts["face"], parts["link"]]), return_inverse=True)
    begin, end = rows.reshape(2, -1)
    patch = _groups(len(faces), begin, end)[begin]
    parts = parts[np.argsort(patch, kind="stable")]
    first = np.flatnonzero(np.diff(np.sort(patch), prepend=-1))
    found = np.zeros(len(first), CONTACT)
    for field in ("label", "other"):
        found[field] = parts[field][first]
        is_same = np.repeat(found[field], np.diff(first, append=len(parts))) == parts[field]
        if not is_same.all():
            raise ValueError(f"a patch of contact of label {parts[field][~is_same][0]} has another")
    for field in ("faces", "area", "moment"):
        found[field] = np.add.reduceat(parts[field], first)
    if not found["faces"].all():
        raise ValueError(f"a part of a patch is missing: {found[found['faces'] == 0][0]}")
    keys = (*found["moment"].T, -found["faces"], -found["area"], found["other"], found["label"])
    ordered: np.ndarray = found[np.lexsort(keys)]
    return ordered


def _groups(n: int, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The lowest number of each group of n things that links join, (n,) int64.

    begin, end: (m,), the two things of each link. Each round joins every group to its smallest
    neighbour, and then lets all things point at the smallest of their group.
    """
    root = np.arange(n)
    while len(begin):
        begin, end = root[begin], root[end]
        apart = begin != end
        begin, end = begin[apart], end[apart]
        np.minimum.at(root, np.maximum(begin, end), np.minimum(begin, end))
        while (root[root] != root).any():
            root = root[root]
    return root
