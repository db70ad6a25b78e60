"""What is framed is in the picture, whole and not small."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snakemesh.view.camera import camera


def rotated(points: np.ndarray, quaternion: list[float]) -> np.ndarray:
    """Points (n, 3), turned by a quaternion x y z w."""
    axis, w = np.array(quaternion[:3]), quaternion[3]
    across = 2 * np.cross(axis, points)
    return points + w * across + np.cross(axis, across)


def drawn(points: np.ndarray, state: dict) -> np.ndarray:
    """Where points (n, 3) in nm are in the picture, (n, 2): 0 is its centre, 1 half its height.

    This is the projection of src/perspective_view/panel.ts of Neuroglancer: the camera is behind
    the position, so far that `projectionScale` voxels fill 45 degrees.
    """
    voxel_nm = np.array([size for size, _ in state["dimensions"].values()]) * 1e9
    half = state["projectionScale"] * voxel_nm.min() / 2
    turned = points - np.array(state["position"]) * voxel_nm
    *axis, w = state["projectionOrientation"]
    seen = rotated(turned, [*np.negative(axis), w]) / half
    distance = 1 / np.tan(np.radians(45 / 2))
    depth = distance + seen[:, 2]
    assert (depth > 0).all()
    return seen[:, :2] * (distance / depth)[:, None]


ends = st.integers(-(10**7), 10**7).map(float)
boxes = arrays(float, st.tuples(st.integers(1, 5), st.just(2), st.just(3)), elements=ends)


@given(boxes.map(lambda found: np.sort(found, axis=1)), st.sampled_from(["xy-3d", "3d"]))
def test_boxes_fill_the_picture_and_no_corner_is_outside(boxes_nm, layout):
    state = camera(boxes_nm, [8.0, 4.0, 40.0], layout)
    corners = np.array(list(product((0, 1), repeat=3)))
    points = boxes_nm[:, corners, range(3)].reshape(-1, 3)
    across, down = np.abs(drawn(points, state)).T
    width = 0.75 if layout == "xy-3d" else 1
    reach = max((across / width).max(), down.max())
    assert reach <= 1
    if state["projectionScale"] > 1:
        assert reach == pytest.approx(1 / 1.1, abs=0.1)


def test_a_section_and_the_units():
    box = np.array([[[0.0, 800, 400], [550 * 8, 900, 440]]])
    state = camera(box, [8.0, 8.0, 40.0], "xy-3d")
    assert state["dimensions"] == {"x": [8e-9, "m"], "y": [8e-9, "m"], "z": [4e-8, "m"]}
    assert state["position"] == [275, 106.25, 10.5]
    assert state["crossSectionScale"] == pytest.approx(1.1)


def test_the_picture_is_upright_and_seen_from_above():
    """x is to the right, y is down, and z goes away from the viewer, up and to the right."""
    box = np.array([[[-1.0, -1, -1], [1, 1, 1]]])
    right, down, away = drawn(np.eye(3), camera(box, [1.0] * 3, "3d"))
    assert right[0] > 0.1 and down[1] > 0.1 and abs(down[0]) < 0.1
    assert away[0] > 0.1 and away[1] < -0.1
