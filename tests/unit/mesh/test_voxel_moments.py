import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.voxel_moments import moments_of, moments_up_to, voxel_moments
from surfaces import noise


def brute(labels, origin, shape):
    """The moments of every label, from the positions of its voxels."""
    tile = labels[tuple(slice(o, o + n) for o, n in zip(origin, shape, strict=True))]
    found = {}
    for label in np.unique(tile[tile > 0]).tolist():
        positions = np.argwhere(tile == tile.dtype.type(label))[:, ::-1] + 0.5
        found[label] = [len(positions), *positions.sum(axis=0).tolist()]
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_against_every_voxel_by_itself(data):
    size = data.draw(st.tuples(*[st.integers(1, 9)] * 3))
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    some = rng.integers(0, np.iinfo(dtype).max, data.draw(st.integers(1, 300)), dtype, True)
    labels = rng.choice(np.append(some, dtype(0)), size)
    labels = labels.repeat(data.draw(st.integers(1, 4)), axis=2)
    origin = tuple(data.draw(st.integers(0, n - 1)) for n in labels.shape)
    shape = tuple(data.draw(st.integers(1, n + 3)) for n in labels.shape)  # also beyond the array
    ids, moments = voxel_moments(compact_labels(labels), origin, shape)
    assert dict(zip(ids.tolist(), moments.tolist(), strict=True)) == brute(labels, origin, shape)
    assert (np.diff(ids.astype(object)) > 0).all()


def test_known_answer():
    labels = np.zeros((4, 5, 6), np.uint64)
    labels[1, 2, 3:5] = 2**63 + 1
    labels[3, 0, 0] = 7
    ids, moments = voxel_moments(compact_labels(labels), (1, 0, 1), (3, 5, 5))
    assert ids.tolist() == [2**63 + 1]
    np.testing.assert_array_equal(moments, [[2, 2.5 + 3.5, 2 * 2.5, 2 * 0.5]])


@pytest.mark.parametrize("labels", [[], [1], [3, 5, 9]])
def test_labels_without_voxels_have_none(labels):
    found = moments_of(np.array(labels, np.uint64), np.array([3, 8], np.uint64), np.ones((2, 4)))
    np.testing.assert_array_equal(found[:, 0], [label == 3 for label in labels])


@pytest.mark.parametrize("shape", [(3.0, 4.0, 5.0), (2.5, 3.25, 4.0), (0.25, 4.0, 0.5)])
def test_a_voxel_that_ends_early_counts_in_part(shape):
    """The twin cuts each voxel into 4 x 4 x 4 parts."""
    labels = noise((6, 7, 8), 3, 1)
    origin = (1, 2, 3)
    fine = labels.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    small = tuple(int(4 * n) for n in shape)
    ids, expected = voxel_moments(compact_labels(fine), tuple(4 * o for o in origin), small)
    found_ids, found = moments_up_to(compact_labels(labels), origin, shape)
    assert found_ids.tolist() == ids.tolist()
    np.testing.assert_allclose(found, expected / 64 / [1, 4, 4, 4])
