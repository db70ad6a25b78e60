import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.ascending import find

LABELS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=20)


@given(LABELS, LABELS)
def test_what_is_found_is_what_is_there(listed, wanted):
    ascending, values = np.unique(np.array(listed, np.uint64)), np.array(wanted, np.uint64)
    at, is_there = find(ascending, values)
    assert is_there.tolist() == [value in listed for value in wanted]
    np.testing.assert_array_equal(ascending[at[is_there]], values[is_there])
