"""Voxels hang together as a search from voxel to voxel finds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from snakemesh.verify.components import components


def searched(labels, most_axes):
    """The component of each voxel, by searches from voxel to voxel, numbered by first voxels."""
    steps = [d for d in product((-1, 0, 1), repeat=3) if 0 < np.count_nonzero(d) <= most_axes]
    found = np.zeros(labels.shape, int)
    for start in np.ndindex(*labels.shape):
        if labels[start] == 0 or found[start]:
            continue
        number, todo = found.max() + 1, [start]
        while todo:
            at = todo.pop()
            inside = all(0 <= i < n for i, n in zip(at, labels.shape, strict=True))
            if inside and not found[at] and labels[at] == labels[start]:
                found[at] = number
                todo += [tuple(np.add(at, step).tolist()) for step in steps]
    return found


@pytest.mark.parametrize("most_axes", [1, 2, 3])
@settings(deadline=None)  # the first one compiles
@given(
    labels=npst.arrays(
        np.uint64,
        npst.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.sampled_from([0, 1, 2, 2**64 - 1]),
    )
)
def test_components_are_those_of_a_search(most_axes, labels):
    found, owners = components(labels, most_axes)
    np.testing.assert_array_equal(found, searched(labels, most_axes))
    np.testing.assert_array_equal(owners[found], labels)
    assert len(owners) == found.max() + 1


@pytest.mark.parametrize(("most_axes", "expected"), [(1, 4), (2, 2), (3, 1)])
def test_what_touches_along_an_edge_or_at_a_corner(most_axes, expected):
    labels = np.zeros((3, 3, 3), np.uint64)
    labels[0, 0, 0] = labels[0, 1, 1] = 7  # an edge in common
    labels[1, 2, 2] = labels[2, 2, 1] = 7  # the first one has a corner in common with (0, 1, 1)
    _, owners = components(labels, most_axes)
    assert owners.tolist() == [0, *[7] * expected]
