"""The counts of all tiles add up to each label's voxels, and say where they are, exactly."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.container import NO_COUNTS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.wanted import Lists, count_voxels
from snakemesh.multires.counts import merged

CELL = (8, 16, 8)  # z y x
EVERY = Lists(None, None)


def counted(labels):
    """By label, its voxels and the sum of their centres, x y z in cells: voxel by voxel."""
    found = {}
    for label in np.unique(labels[labels > 0]).tolist():
        places = np.argwhere(labels == label) + 0.5
        found[label] = len(places), (places / CELL).sum(axis=0)[::-1].tolist()
    return found


@given(
    seed=st.integers(0, 99),
    thick=st.sampled_from([1, 5, 24]),
    halo=st.integers(0, 13),
    parts=st.tuples(*[st.sampled_from([(0, 4), (0, 1, 4), (0, 1, 2, 3, 4)])] * 3),
)
@settings(deadline=None)
def test_tiles_count_every_voxel_once(seed, thick, halo, parts):
    rng = np.random.default_rng(seed)
    shape = np.array([30, 47, 29])
    labels = rng.integers(0, 5, -(-shape // thick)).astype(np.uint64) * np.uint64(2**61)
    for axis in range(3):
        labels = labels.repeat(thick, axis=axis)
    labels = labels[tuple(map(slice, shape))]
    counts = [NO_COUNTS]
    for box in product(*map(pairwise, parts)):
        first, last = np.array(box).T
        begin = np.minimum(first * CELL, shape)
        end = np.minimum(last * CELL, shape)
        low = np.maximum(begin - halo, 0)
        seen = labels[tuple(map(slice, low, end + halo))]
        tile = (tuple(begin - low), tuple(end - begin), EVERY, tuple(first.tolist()), CELL)
        counts.append(count_voxels(compact_labels(np.ascontiguousarray(seen)), *tile))
    found = merged(np.concatenate(counts))
    assert {label: (n, moment) for label, n, _, moment in map(plain, found)} == counted(labels)


def plain(row):
    return int(row["label"]), int(row["voxels"]), int(row["left_out"]), row["moment"].tolist()
