"""Pieces of meshes, by known answers and by a search from face to face."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.verify.checks import edges_of
from snakemesh.verify.pieces import groups, piece_volumes

CORNERS = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
QUADS = np.array(
    [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
)
CUBE = QUADS[:, [0, 1, 2, 0, 2, 3]].reshape(12, 3)


def joined(*cubes):
    """One mesh of cubes (corner, side, whether it is a cavity); equal vertices are joined."""
    points = np.concatenate([np.array(corner) + side * CORNERS for corner, side, _ in cubes])
    faces = [8 * i + (CUBE[:, ::-1] if c[2] else CUBE) for i, c in enumerate(cubes)]
    unique, rows = np.unique(points, axis=0, return_inverse=True)
    return unique, rows.reshape(-1)[np.concatenate(faces)]


@given(
    n=st.integers(1, 30),
    links=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40),
)
def test_groups_are_those_of_a_search(n, links):
    links = [(a, b) for a, b in links if a < n and b < n]
    expected = list(range(n))
    for _ in range(n):
        for a, b in links:
            expected[a] = expected[b] = min(expected[a], expected[b])
    begin, end = np.array(links, int).reshape(-1, 2).T
    assert groups(n, begin, end).tolist() == expected


def test_a_long_chain_is_one_group():
    n = 100_000
    order = np.random.default_rng(0).permutation(n)
    assert not groups(n, order[:-1], order[1:]).any()


def test_cubes_apart():
    points, faces = joined(((0, 0, 0), 1, False), ((5, 0, 0), 2, False))
    assert np.round(piece_volumes(points, faces, edges_of(faces)), 9).tolist() == [1, 8]


def test_cubes_that_touch_in_a_point_are_two_pieces():
    points, faces = joined(((0, 0, 0), 1, False), ((1, 1, 1), 1, False))
    assert len(points) == 15
    assert np.round(piece_volumes(points, faces, edges_of(faces)), 9).tolist() == [1, 1]


def test_cubes_with_an_edge_in_common_are_one_piece():
    points, faces = joined(((0, 0, 0), 1, False), ((1, 1, 0), 1, False))
    assert np.round(piece_volumes(points, faces, edges_of(faces)), 9).tolist() == [2]


def test_a_cavity_is_no_piece():
    points, faces = joined(((0, 0, 0), 5, False), ((1, 1, 1), 2, True), ((1.5, 1.5, 1.5), 1, False))
    assert sorted(np.round(piece_volumes(points, faces, edges_of(faces)), 9)) == [1, 125]


def test_no_faces():
    none = np.empty((0, 3), int)
    assert len(piece_volumes(np.empty((0, 3)), none, edges_of(none))) == 0
