from fractions import Fraction
from itertools import permutations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from snakemesh.mesh.crossing import cross

points_of_two_faces = st.lists(
    st.tuples(*[st.integers(-3, 3)] * 3), min_size=4, max_size=6, unique=True
)


def meets_inside(p, q, face):
    """The twin: where the line p q meets the plane of a face, in fractions, and whether inside."""
    a, b, c = (np.array([Fraction(int(x)) for x in corner]) for corner in face)
    p, q = (np.array([Fraction(int(x)) for x in end]) for end in (p, q))
    normal = np.cross(b - a, c - a)
    along = normal @ (q - p)
    if along == 0:
        return False
    t = normal @ (a - p) / along
    at = p + t * (q - p)
    sides = [normal @ np.cross(v - u, at - u) for u, v in ((a, b), (b, c), (c, a))]
    return 0 < t < 1 and all(side > 0 for side in sides)


def twin(points, f, g):
    pairs = [(f, g), (g, f)]
    return any(
        meets_inside(points[one[i]], points[one[i - 1]], points[list(other)])
        for one, other in pairs
        for i in range(3)
    )


@settings(max_examples=300, deadline=None)
@given(points_of_two_faces)
@example([(0, 0, 0), (2, 0, 0), (0, 2, 0), (1, 1, -1), (1, 1, 1), (0, 0, 3)])  # through an edge
@example([(0, 0, 0), (3, 0, 0), (0, 3, 0), (1, 1, -1), (1, 1, 1), (0, 0, 3)])  # through the inside
@example([(0, 0, 0), (3, 0, 0), (0, 3, 0), (1, 1, -1), (1, 1, 1)])  # that shares a vertex
def test_two_faces_cross_where_an_edge_meets_the_inside(corners):
    """The last three points are one face; with 4 or 5 points the faces share some."""
    points = np.array(corners, dtype=np.int64)
    f, g = (0, 1, 2), tuple(range(len(points) - 3, len(points)))
    expected = twin(points, f, g)
    for order in permutations(f):
        assert cross(points, order, g) == cross(points, g, order) == expected


def test_positions_of_a_whole_cell_are_not_rounded():
    """A vertex one step off the plane of a face as wide as a cell."""
    far = (1 << 17) - 1
    points = np.array(
        [(0, 0, 0), (far, 0, 1), (0, far, 1), (999, 999, -far), (999, 999, far), (998, 999, -far)]
    )
    at = 999 * 2 / far  # where the plane is above (999, 999)
    assert 0 < at < 1
    for end, expected in ((1, True), (0, False)):
        points[4, 2] = end
        assert cross(points, (0, 1, 2), (3, 4, 5)) == twin(points, (0, 1, 2), (3, 4, 5)) == expected
