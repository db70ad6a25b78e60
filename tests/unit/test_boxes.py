import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.boxes import box_index, box_name, ceil_div, indices, slices

numbers = st.integers(0, 10**9)
threes = st.tuples(numbers, numbers, numbers)


@given(threes, st.tuples(*[st.integers(1, 10**6)] * 3))
def test_ceil_div(a, b):
    for quotient, n, d in zip(ceil_div(a, b), a, b, strict=True):
        assert (quotient - 1) * d < n <= quotient * d


@given(threes)
def test_a_box_is_found_by_its_name(index):
    assert box_index(box_name(index)) == index


def test_indices_are_those_of_an_array():
    assert list(indices((2, 3, 4))) == list(np.ndindex(2, 3, 4))


def test_slices_cut_a_box_out_of_an_array():
    array = np.arange(60).reshape(3, 4, 5)
    np.testing.assert_array_equal(array[slices((1, 0, 2), np.array((3, 2, 5)))], array[1:3, :2, 2:])


@pytest.mark.parametrize("name", ["1_2", "1_2_3_4", "a_b_c", ""])
def test_what_names_no_box(name):
    with pytest.raises(ValueError):
        box_index(name)
