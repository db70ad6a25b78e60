"""What stored values become: known answers for every type."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from snakemesh.errors import UserError
from snakemesh.label_values import LabelValues, as_labels, label_type, one_body

LARGEST = 2**64 - 1


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_integers_are_the_same_memory(width):
    voxels = np.array([[[0, 1, np.iinfo(f"int{width}").max]]], f"int{width}")
    labels = as_labels(voxels)
    assert labels.dtype == f"uint{width}"
    assert np.shares_memory(labels, voxels)
    np.testing.assert_array_equal(labels, voxels)
    unsigned = voxels.astype(f"u{width // 8}")
    assert as_labels(unsigned) is unsigned
    assert as_labels(voxels[:0]).shape == (0, 1, 3)


@pytest.mark.parametrize(
    ("stored", "labels"),
    [
        ("bool", "uint8"),
        ("int16", "int16"),
        ("uint64", "uint64"),
        ("float16", "uint32"),
        ("float32", "uint32"),
        ("float64", "uint64"),
        ("complex64", None),
        ("datetime64[s]", None),
    ],
)
def test_types(stored, labels):
    assert label_type(stored) == labels


def test_a_mask_is_label_1():
    labels = as_labels(np.array([[[True, False]]]))
    assert (labels.dtype, labels.tolist()) == (np.uint8, [[[1, 0]]])


@given(
    voxels=npst.arrays(
        st.sampled_from(["i1", "i8", "u2", "u8", "f4", "f8", "?"]),
        (2, 3, 4),
        elements=st.integers(0, 1),
    ),
    background=st.lists(st.sampled_from([-7, -1, 1, LARGEST]), max_size=3).map(tuple),
)
def test_background_is_0_and_all_else_stays(voxels, background):
    labels = as_labels(voxels, LabelValues(background))
    wanted = [0 if int(v) in background else int(v) for v in voxels.ravel()]
    assert labels.ravel().tolist() == wanted
    assert labels.dtype.kind == "u"


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "f4", "f8"])
def test_minus_one_is_background_where_it_is_said(dtype):
    voxels = np.array([[[-1, 0, 5], [7, -1, -1]]], dtype)
    before = voxels.copy()
    assert as_labels(voxels, LabelValues((-1, 0))).tolist() == [[[0, 0, 5], [7, 0, 0]]]
    np.testing.assert_array_equal(voxels, before)
    with pytest.raises(UserError, match=r"at voxel \[10, 20, 30\] .* to \[-1, 0\]$"):
        as_labels(voxels, corner=(10, 20, 30))


def test_the_largest_value_as_background():
    voxels = np.array([[[LARGEST, LARGEST - 1, 2**63]]], np.uint64)
    found = as_labels(voxels, LabelValues((0, LARGEST)))
    assert found.tolist() == [[[0, LARGEST - 1, 2**63]]]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf"), 2.0**64, -0.25])
def test_a_fraction_names_its_voxel(dtype, value):
    voxels = np.zeros((2, 3, 4), dtype)
    voxels[1, 2, 3] = value
    with pytest.raises(
        UserError, match=r"^config key input_path: found .* voxel \[1, 2, 8\] "
    ) as e:
        as_labels(voxels, corner=(0, 0, 5))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(("dtype", "largest"), [("f4", 2**32 - 256), ("f8", 2**64 - 2048)])
def test_the_largest_floats(dtype, largest):
    assert as_labels(np.array([[[largest]]], dtype)).item() == largest


def test_one_body():
    labels = np.array([[[0, 5, 2**40]]], np.uint64)
    assert one_body(labels).tolist() == [[[0, 1, 1]]]
    assert one_body(labels).dtype == labels.dtype
