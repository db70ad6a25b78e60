from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.mesh.volume_ends import clamp_to_volume, squeeze_last_voxels, volume_ends

CELL = 32
VOXEL = Fraction(CELL_STEPS, CELL)


def step(position):
    return floor(position * VOXEL + Fraction(1, 2))


@settings(deadline=None)
@given(st.integers(1, 1000).map(lambda n: n / 8), st.lists(st.integers(-9999, 999_999)))
def test_an_end_inside_a_voxel(end, positions):
    """Nothing moves below the last voxel. In it the order stays, and its end becomes that of the
    volume.
    """
    last = ceil(end) - 1
    ends = volume_ends(((0, end), (-9999.0, 9999.0), (-2.0, 9999.0)), (CELL,) * 3)
    column = np.array([*sorted(positions), step(last), step(last + 1)], np.int32)
    vertices = np.stack([column] * 3, axis=1)
    squeeze_last_voxels(vertices, ends)
    low = column <= step(last)
    np.testing.assert_array_equal(vertices[low, 0], column[low])
    assert (np.diff(vertices[:-2, 0]) >= 0).all()
    assert vertices[-1, 0] == step(Fraction(end))
    clamp_to_volume(vertices, ends)
    assert vertices[:, 0].min() >= 0 and vertices[:, 0].max() == step(Fraction(end))
    np.testing.assert_array_equal(vertices[:, 1], column)
    np.testing.assert_array_equal(vertices[:, 2], np.maximum(column, step(-2)))


@settings(deadline=None)
@given(st.integers(1, 1000).map(lambda n: n / 8), st.integers(-99, 99_999), st.integers(-3, 3))
def test_all_tiles_move_a_vertex_alike(end, position, cells):
    found = []
    for first in (0, cells):
        vertices = np.full((1, 3), position - first * CELL_STEPS, np.int32)
        begin = first * CELL
        ends = volume_ends(((-begin, end - begin),) * 3, (CELL,) * 3)
        squeeze_last_voxels(vertices, ends)
        clamp_to_volume(vertices, ends)
        found.append((vertices + first * CELL_STEPS).tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("end", [2.125, 2.5])
def test_what_is_a_voxel_thick_keeps_two_sides(end):
    ends = volume_ends(((0, end),) * 3, (CELL,) * 3)
    sides = np.array([[step(2)] * 3, [step(3)] * 3], np.int32)
    squeeze_last_voxels(sides, ends)
    assert (np.diff(sides, axis=0) == step(Fraction(end)) - step(2)).all()
