"""Fragments of the LOD below, on the lattice of the coarser cell. Everything is x y z."""

import DracoPy
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.fragments.container import COUNT, FRAGMENT
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.mesh.finer import FinerFragments, halved, halved_surfaces, one_in_each_place

WIDTHS = {0: OCTANT_PLANE, 1: CELL_STEPS - OCTANT_PLANE}
steps = st.integers(0, CELL_STEPS)


@given(st.lists(st.tuples(steps, steps, steps), min_size=1), st.tuples(*[st.integers(0, 1)] * 3))
def test_faces_of_an_octant_hold_what_they_held_and_nothing_else(points, octant):
    points = np.array(points, np.int32)
    widths = np.array([WIDTHS[half] for half in octant])
    ends = np.stack([np.full(3, CELL_STEPS), widths], axis=1)
    found = halved(points, widths, ends)
    np.testing.assert_array_equal(found == 0, points == 0)
    np.testing.assert_array_equal(found == widths, points == CELL_STEPS)
    # half as many steps are as long, to within the rounding and the step off a face
    assert np.abs(found - points * (widths / CELL_STEPS)).max() <= 1
    order = np.argsort(points[:, 0], kind="stable")
    assert (np.diff(found[order, 0]) >= 0).all()


@given(st.integers(2, CELL_STEPS - 1), st.lists(steps, min_size=1), st.integers(0, 1))
def test_an_open_end_holds_what_it_held_and_nothing_else(end, positions, half):
    positions = [p for p in positions if p <= end] + [end, end - 1]
    points = np.array([[p, 0, 0] for p in positions], np.int32)
    widths = np.full(3, WIDTHS[half])
    coarse = max((end * int(widths[0]) + CELL_STEPS // 2) // CELL_STEPS, 2)
    for shift in (-1, 0, 1):  # the plane itself may be rounded another way
        at = max(coarse + shift, 2)
        ends = np.array([[end, at], [CELL_STEPS, widths[1]], [CELL_STEPS, widths[2]]])
        found = halved(points, widths, ends)[:, 0]
        np.testing.assert_array_equal(found == at, points[:, 0] == end)
        assert found.max() == at


def test_vertices_in_a_plane_are_one_if_they_are_in_one_place_and_of_one_label():
    points = np.array([[5, 1, 1], [5, 1, 1], [4, 1, 1], [4, 1, 1], [5, 1, 1], [5, 2, 1]], np.int32)
    faces = np.array([[0, 2, 5], [1, 3, 5], [4, 4, 4]], np.int32)
    owners = np.array([0, 0, 1], np.int32)
    found = one_in_each_place(points, faces, owners, [(5,), (), ()])
    assert found.tolist() == [0, 0, 2, 3, 4, 5]


def test_faces_at_an_edge_of_four_faces_share_its_vertices():
    """Draco gives them vertices of their own."""
    points = np.array([[0, 0, 0], [9, 0, 0], [0, 5, 0], [0, 0, 5], [0, -5, 0], [0, 0, -5]]) + 100
    solids = [(0, 1, 2, 3), (0, 1, 4, 5)]
    faces = [f for a, b, c, d in solids for f in ((a, c, b), (a, b, d), (b, c, d), (c, a, d))]
    blob = DracoPy.encode(points.astype(np.int32), np.array(faces), compression_level=7)
    assert len(DracoPy.decode(blob).points) > len(points)
    records = np.zeros(1, FRAGMENT)
    finer = FinerFragments(records, [blob], np.zeros(0, COUNT), b"")
    widths = np.full(3, WIDTHS[0])
    ends = np.stack([np.full(3, CELL_STEPS), widths], axis=1)
    found = halved_surfaces(finer, np.array([0]), widths, ends).faces
    assert len(found) == len(faces)
    assert len(np.unique(found)) == len(points)
