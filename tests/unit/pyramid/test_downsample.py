"""`downsample` against a twin that counts every cube with np.unique, and known answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levels import BY_METHOD
from snakemesh.pyramid.downsample import METHODS, downsample

ISOTROPIC = ((2, 2, 2),) * 3
STEPS = (
    ISOTROPIC,
    ((2, 2, 2),),
    ((1, 2, 2), (2, 2, 2), (2, 2, 2)),
    ((1, 1, 2), (1, 2, 2), (2, 2, 2), (2, 2, 1), (2, 1, 1)),
    ((2, 2, 1), (2, 2, 1), (2, 2, 2)),
    ((1, 1, 2),) * 3 + ((1, 2, 1),) * 3 + ((2, 1, 1),) * 3,
    ((1, 1, 1), (2, 1, 2)),
)
DTYPES = (np.uint8, np.uint16, np.uint32, np.uint64)


def brute_force(block, steps, method):
    """What `downsample` promises, from its definition: look at the voxels of every cube."""
    return [BY_METHOD[method](block, factor) for factor in np.cumprod(steps, axis=0).tolist()]


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)


def blobs(shape, n_labels, noise, seed, dtype=np.uint32):
    """Labels in lumps of a few voxels, including 0.

    noise: fraction of the voxels that get a random label.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_labels, np.add(shape, 4) // 3 + 1)
    for axis in range(3):
        labels = np.repeat(labels, 3, axis=axis)
    shift = rng.integers(0, 3, 3)
    labels = labels[tuple(slice(s, s + n) for s, n in zip(shift, shape, strict=True))].copy()
    replaced = rng.random(shape) < noise
    labels[replaced] = rng.integers(0, n_labels, replaced.sum())
    return labels.astype(dtype)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_equals_brute_force(method, steps):
    block = blobs((19, 21, 30), 5, 0.1, seed=1)
    assert_equal(downsample(block, steps, method), brute_force(block, steps, method))


@settings(deadline=None, max_examples=100)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    steps=st.sampled_from(STEPS),
    method=st.sampled_from(METHODS),
    dtype=st.sampled_from(DTYPES),
    n_labels=st.integers(1, 40),
    noise=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_equals_brute_force_of_anything(shape, steps, method, dtype, n_labels, noise, seed):
    block = blobs(shape, n_labels, noise, seed, dtype)
    assert_equal(downsample(block, steps, method), brute_force(block, steps, method))


@pytest.mark.parametrize("steps", [ISOTROPIC, ((2, 2, 1), (2, 2, 2))], ids=str)
@pytest.mark.parametrize("nx", [127, 128, 129, 255, 256, 257, 511, 520])
def test_rows_longer_than_a_bar(steps, nx):
    block = blobs((8, 9, nx), 4, 0.1, seed=nx)
    assert_equal(downsample(block, steps, "mode"), brute_force(block, steps, "mode"))


def test_the_mode_is_not_the_mode_of_modes():
    # 9 has three voxels of each 2x2x2 cube, and each of these cubes goes to a label with four
    block = np.zeros((8, 8, 8), np.uint32)
    for n, (z, y, x) in enumerate(np.ndindex(4, 4, 4)):
        cube = np.array([9, 9, 9, 100 + n, 100 + n, 100 + n, 100 + n, 200 + n], np.uint32)
        block[2 * z : 2 * z + 2, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = cube.reshape(2, 2, 2)
    first, second, third = downsample(block, ISOTROPIC, "mode")
    np.testing.assert_array_equal(first.ravel(), 100 + np.arange(64))
    assert (second == 9).all() and (third == 9).all()


@pytest.mark.parametrize("half", [1, 2, 4])
@pytest.mark.parametrize("low, high", [(3, 7), (7, 3), (0, 5), (5, 0), (2**32 - 1, 2**31)])
def test_a_tie_goes_to_the_smallest_label(half, low, high):
    block = np.empty((8, 8, 8), np.uint32)
    block[...] = np.where(np.arange(8) // half % 2 == 0, low, high)
    top = downsample(block, ISOTROPIC, "mode")[-1]
    assert top.item() == min(low, high)


def test_background_wins_only_alone_when_suppressed():
    block = np.zeros((8, 8, 16), np.uint64)
    block[7, 7, 7] = 2**63 + 1
    for level in downsample(block, ISOTROPIC, "mode_suppress_zero"):
        assert level.max() == 2**63 + 1 and np.count_nonzero(level) == 1
    assert not any(level.any() for level in downsample(block, ISOTROPIC, "mode"))


def test_binary_needs_more_than_half():
    block = np.zeros((2, 2, 4), np.uint8)
    block[0] = 200  # half of each cube
    assert downsample(block, ((2, 2, 2),), "binary")[0].tolist() == [[[0, 0]]]
    block[1, 0, 0] = 1
    assert downsample(block, ((2, 2, 2),), "binary")[0].tolist() == [[[1, 0]]]


def test_a_cut_cube_votes_over_the_voxels_that_exist():
    block = np.array([[[1, 1, 4]], [[1, 1, 5]], [[2, 2, 5]]], np.uint32)
    assert downsample(block, ((2, 2, 2),), "mode")[0].tolist() == [[[1, 4]], [[2, 5]]]
    assert downsample(block, ((2, 2, 2),) * 2, "mode")[1].tolist() == [[[1]]]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_signed_labels_are_unsigned_ones_of_the_same_bits(dtype):
    block = blobs((9, 10, 11), 7, 0.2, seed=3, dtype=dtype) - dtype(3)
    unsigned = block.view(f"u{block.dtype.itemsize}")
    for signed, level in zip(
        downsample(block, ISOTROPIC, "mode"), downsample(unsigned, ISOTROPIC, "mode"), strict=True
    ):
        assert signed.dtype == dtype
        np.testing.assert_array_equal(signed.view(level.dtype), level)


def test_any_memory_layout():
    block = blobs((17, 18, 19), 6, 0.1, seed=4)
    expected = downsample(block, ISOTROPIC, "mode")
    spread = np.zeros((34, 18, 57), np.uint32)
    spread[::2, :, ::3] = block
    for same in (np.asfortranarray(block), spread[::2, :, ::3], block.astype(">u4")):
        assert_equal(downsample(same, ISOTROPIC, "mode"), expected)


def test_uniform_and_all_different_blocks():
    value = np.uint64(2**64 - 1)
    for level in downsample(np.full((16, 16, 300), value), ISOTROPIC, "mode"):
        assert (level == value).all()
    block = np.random.default_rng(5).permutation(16**3).reshape(16, 16, 16).astype(np.uint32)
    assert_equal(downsample(block, ISOTROPIC, "mode"), brute_force(block, ISOTROPIC, "mode"))


@pytest.mark.parametrize(
    "block, steps, method",
    [
        (np.zeros((8, 8, 8), np.uint8), ISOTROPIC, "median"),
        (np.zeros((8, 8, 8), np.float32), ISOTROPIC, "mode"),
        (np.zeros((8, 8), np.uint8), ISOTROPIC, "mode"),
        (np.zeros((8, 8, 8), np.uint8), (), "mode"),
        (np.zeros((8, 8, 8), np.uint8), ((3, 2, 2),), "mode"),
        (np.zeros((8, 8, 8), np.uint8), ((0, 2, 2),), "mode"),
        (np.zeros((8, 8, 8), np.uint8), ((2, 2, 2),) * 4, "mode"),
    ],
)
def test_refusals(block, steps, method):
    with pytest.raises(ValueError, match="expected"):
        downsample(block, steps, method)
