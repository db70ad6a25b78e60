"""The counts of all tiles add up to each label's voxels, and say where they are, exactly.

So do their second moments, and the voxels at the border of the volume.
"""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.container import COUNT, NO_COUNTS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.wanted import Lists, count_voxels
from snakemesh.multires.counts import AXES_OF_SECOND, merged

CELL = (8, 16, 8)  # z y x
EVERY = Lists(None, None)


def counted(labels):
    """By label, voxel by voxel: voxels, those at the border, and sums in cells, x y z.

    These are the sums of their centres, and their second moments from the lowest cell.
    """
    found, size = {}, CELL[::-1]
    for label in np.unique(labels[labels > 0]).tolist():
        voxels = np.argwhere(labels == label)
        border = ((voxels == 0) | (voxels == np.array(labels.shape) - 1)).any(axis=1).sum()
        moment = ((voxels + 0.5) / CELL).sum(axis=0)[::-1].tolist()
        places = 2 * (voxels - voxels.min(axis=0) // CELL * CELL)[:, ::-1] + 1
        second = [
            int((3 * places[:, i] * places[:, j] + (i == j)).sum()) / (12 * size[i] * size[j])
            for i, j in AXES_OF_SECOND
        ]
        found[label] = len(voxels), border, moment, second
    return found


@given(
    seed=st.integers(0, 99),
    thick=st.sampled_from([1, 5, 24]),
    halo=st.integers(1, 13),
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
    fields = ("voxels", "border", "moment", "second")
    rows = [tuple(row[field].tolist() for field in fields) for row in found]
    expected = counted(labels)
    assert dict(zip(found["label"].tolist(), rows, strict=True)) == {
        label: (*row[:3], pytest.approx(row[3], rel=1e-15)) for label, row in expected.items()
    }
    assert not found["left_out"].any()


def test_second_moments_of_a_body_that_spans_a_huge_volume():
    """Two boxes 100,000 cells apart: what the theorem of parallel axes adds needs 70 bits."""
    n, far = 1 << 24, 100_000
    rows = np.zeros(2, COUNT)
    rows["label"], rows["voxels"] = 7, n
    rows["cell"][1] = far
    rows["moment"] = (rows["cell"] + 0.5) * n
    # integrals of xx and xy over a whole cell, 1/3 and 1/4 of it
    rows["second"] = np.array([4 << 20] * 3 + [3 << 20] * 3) * n
    exact = [n * (1 + (3 * far**2 + 3 * far + 1)) / 3] * 3 + [n * (1 + (2 * far + 1) ** 2) / 4] * 3
    for order in ([0, 1], [1, 0]):
        (found,) = merged(rows[order])
        np.testing.assert_allclose(found["second"], exact, rtol=4e-16)
