"""Distances against scipy, voxel by voxel, and the thickness of bodies that is known."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from snakemesh.measure.thickness import (
    MOST_HALVES,
    RIDGES,
    distances,
    mean_and_95_percent,
    summed,
    thickness_of,
)
from snakemesh.measure_job import REACH, THICKNESS, margin
from snakemesh.mesh.compact_labels import compact_labels
from surfaces import noise

ISOTROPIC = (8.0, 8.0, 8.0)
FLAT = (40.0, 8.0, 10.0)
EVERYWHERE = (slice(None),) * 3


def brute_distances(labels, voxel):
    """The distance of each voxel to the nearest voxel of another label, by scipy."""
    found = np.zeros(labels.shape)
    for label in np.unique(labels[labels > 0]):
        own = labels == label
        reach = ndimage.distance_transform_edt(own, sampling=np.array(voxel) / min(voxel))
        found[own] = REACH if own.all() else np.minimum(reach[own], REACH)
    return found


@given(
    seed=st.integers(0, 99),
    size=st.tuples(*[st.integers(1, 20)] * 3),
    grains=st.sampled_from([1, 3, 9]),
    voxel=st.sampled_from([ISOTROPIC, FLAT]),
)
@settings(deadline=None, max_examples=40)
def test_distances_are_those_of_scipy(seed, size, grains, voxel):
    labels = noise(size, 4, seed)
    for axis in range(3):
        labels = labels.repeat(grains, axis=axis)
    labels = labels[: size[0], : size[1], : size[2]]
    numbers = compact_labels(labels).numbers[1:-1, 1:-1, 1:-1]
    found = distances(numbers, np.array(voxel) / min(voxel), EVERYWHERE)
    np.testing.assert_allclose(found, brute_distances(labels, voxel), rtol=1e-6)


def test_a_distance_is_never_larger_than_the_reach():
    labels = np.ones((3, 4, 2 * REACH + 40), np.uint32)
    labels[:, :, 0] = 2
    found = distances(labels, np.ones(3), EVERYWHERE)[1, 1]
    np.testing.assert_allclose(found[1:], np.minimum(np.arange(1, len(found)), REACH))


def measured(labels, voxel, cuts=((0, None),) * 3):
    """RIDGES of labels that are measured part by part. cuts: on each axis where parts begin."""
    more = margin((THICKNESS,), voxel)
    rows = [np.zeros(0, RIDGES)]
    for box in product(*map(pairwise, cuts)):
        begin = np.array([b for b, _ in box])
        end = np.array([n if e is None else e for (_, e), n in zip(box, labels.shape, strict=True)])
        low = np.maximum(begin - more, 0)
        seen = np.ascontiguousarray(labels[tuple(map(slice, low, end + more))])
        rows.append(thickness_of(compact_labels(seen), begin - low, end - begin, voxel))
    return summed(np.concatenate(rows))


@pytest.mark.parametrize("voxel", [ISOTROPIC, FLAT])
def test_parts_add_up_to_the_whole(voxel):
    """Bodies of all sizes, some thicker than what saturates."""
    labels = noise((4, 5, 4), 3, 5).repeat(20, 0).repeat(23, 1).repeat(31, 2)
    labels = labels.astype(np.uint64)
    labels[:, :90, 20:110] = 2**63
    whole = measured(labels, voxel)
    parts = measured(labels, voxel, ((0, 7, None), (0, 40, 80, None), (0, 1, 64, None)))
    for ours, theirs in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert whole[1][:, -1].any()


def places(size):
    return np.indices((size,) * 3).reshape(3, -1).T + 0.5


def thickness_in_voxels(is_inside, size=64):
    labels = is_inside.reshape((size,) * 3).astype(np.uint64)
    _, voxels = measured(labels, ISOTROPIC)
    mean, most = mean_and_95_percent(voxels)
    return mean[0], most[0]


@pytest.mark.parametrize("direction", [(1, 0, 0), (1, 2, 2), (3, 1, -2), (1, 1, 0)])
@pytest.mark.parametrize("width", [3, 6, 11, 20])
@pytest.mark.parametrize("body", ["sheet", "rod"])
def test_sheets_and_rods_at_angles(body, width, direction):
    axis = np.array(direction) / np.linalg.norm(direction)
    at = places(64) - 32.2
    along = at @ axis
    inside = np.abs(along) < width / 2
    if body == "rod":
        inside = (at**2).sum(axis=1) - along**2 < (width / 2) ** 2
    mean, most = thickness_in_voxels(inside)
    assert mean == pytest.approx(width, abs=1.05) and most == pytest.approx(width, abs=1.55)


@pytest.mark.parametrize("radius", [4, 9, 20])
def test_a_ball_and_a_torus(radius):
    at = places(64) - 32.3
    mean, most = thickness_in_voxels((at**2).sum(axis=1) < radius**2)
    assert mean == most == pytest.approx(2 * radius, abs=1)
    if radius < 9:
        z, y, x = at.T
        mean, most = thickness_in_voxels((np.hypot(x, y) - 20) ** 2 + z**2 < radius**2)
        assert (mean, most) == pytest.approx((2 * radius, 2 * radius), abs=1)


def test_mean_and_95_percent():
    voxels = np.zeros((2, MOST_HALVES), np.uint64)
    voxels[0, [3, 9, 19]] = [90, 5, 5]
    voxels[1, MOST_HALVES - 1] = 2**40
    mean, most = mean_and_95_percent(voxels)
    assert mean.tolist() == [(90 * 2 + 5 * 5 + 5 * 10) / 100, 2 * REACH]
    assert most.tolist() == [5, 2 * REACH]
