import numpy as np
import pytest

from snakemesh.mesh.compact_labels import compact_labels
from surfaces import noise


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_numbers_stand_for_labels(dtype):
    labels = noise((6, 7, 8), 9, seed=0).astype(dtype)
    labels[labels == 3] = np.iinfo(dtype).max
    labels[2], labels[:, 4], labels[..., 5] = 0, 0, 0
    numbers, names = compact_labels(labels)
    assert numbers.dtype == np.uint32 and names.dtype == np.uint64 and names[0] == 0
    assert len(set(names.tolist())) == len(names) == len(np.unique(labels))
    np.testing.assert_array_equal(names[numbers[1:-1, 1:-1, 1:-1]], labels)
    assert numbers.sum() == numbers[1:-1, 1:-1, 1:-1].sum()
    assert numbers[numbers > 0][0] == 1


def test_more_labels_than_the_table_has_at_first():
    rng = np.random.default_rng(1)
    labels = rng.integers(1, 2**64, (3, 100, 100), np.uint64, endpoint=False)
    # many of them with the same upper bits
    labels[1] = np.arange(1, 10_001, dtype=np.uint64).reshape(100, 100) << np.uint64(32)
    labels[2] = labels[0, ::-1]
    numbers, names = compact_labels(labels)
    np.testing.assert_array_equal(names[numbers[1:-1, 1:-1, 1:-1]], labels)
    assert len(names) == 1 + len(np.unique(labels))


def test_an_array_that_is_not_contiguous():
    labels = noise((6, 7, 8), 9, seed=2)[::2, :, ::-1].T
    numbers, names = compact_labels(labels)
    np.testing.assert_array_equal(names[numbers[1:-1, 1:-1, 1:-1]], labels)


def test_nothing_but_background():
    numbers, names = compact_labels(np.zeros((2, 3, 4), np.uint16))
    assert numbers.shape == (4, 5, 6) and not numbers.any() and names.tolist() == [0]
