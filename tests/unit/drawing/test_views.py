"""Directions of views, and bars."""

import numpy as np
import pytest

from snakemesh.drawing.views import View, bar_nm, broadside, looking, sides, turned


@pytest.mark.parametrize("axes", [*sides(), turned(200, -90), broadside(np.eye(3))])
def test_axes_are_orthonormal_and_not_mirrored(axes):
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    # x right, y down, z away from the viewer are right-handed
    assert np.linalg.det(axes * [[1], [1], [-1]]) == pytest.approx(1)


def test_a_viewer_walks_to_the_right_and_rises():
    """Which side of a volume is then the nearest. y is down."""
    np.testing.assert_allclose(turned(0, 0), looking((1, 0, 0), (0, 1, 0)), atol=1e-12)
    nearest = {(0, 0): (0, 0, -1), (90, 0): (1, 0, 0), (180, 0): (0, 0, 1), (0, 90): (0, -1, 0)}
    for direction, side in nearest.items():
        np.testing.assert_allclose(turned(*direction)[2], side, atol=1e-12)


def test_points_are_projected_to_pixels():
    view = View(turned(0, 0), np.array([100.0, 50.0, 0.0]), 2.0, (40, 20))
    found = view.project(np.array([[100.0, 50, 0], [110, 44, 30]]))
    np.testing.assert_allclose(found, [[20, 10, 0], [25, 7, -15]])


def test_the_broad_side():
    points = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 30, 5]
    right, down, near = np.abs(broadside(points))
    assert [right.argmax(), down.argmax(), near.argmax()] == [1, 2, 0]


def test_bars_are_round_and_fit():
    assert [bar_nm(width) for width in (1000, 6666, 6700, 17_000)] == [200, 1000, 2000, 5000]
