"""Pictures of bodies whose silhouettes are known."""

import numpy as np
import pytest
import trimesh
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from snakemesh.report.meshes import MARGIN, broadside, draw, frame, looking, sides

ALONG_Z = looking((1, 0, 0), (0, 1, 0))
RED, GREEN = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])


def ball(radius, centre=(0, 0, 0), colour=RED):
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return np.array(mesh.vertices) + centre, np.array(mesh.faces), colour


def drawn(axes, *meshes, lines=False):
    """A picture of 200 x 200 pixels, RGB from 0 to 255, of -100 to 100 nm."""
    figure = Figure(figsize=(2, 2), dpi=100, layout="none")
    plot = figure.add_axes((0, 0, 1, 1))
    plot.set_axis_off()
    plot.set(xlim=(-100, 100), ylim=(100, -100))
    draw(plot, axes, meshes, lines)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def test_the_silhouette_of_a_ball():
    picture = drawn(ALONG_Z, ball(60, (10, -20, 7)))
    y, x = np.mgrid[-100:100, -100:100] + 0.5
    distance = np.hypot(x - 10, y + 20)
    seen = picture.min(axis=-1) < 250
    assert seen[distance < 58.5].all() and not seen[distance > 61.5].any()


@pytest.mark.parametrize("axes", [ALONG_Z, *sides()], ids=range(9))
def test_what_is_nearer_hides_what_is_behind(axes):
    """From whichever side, and in whichever order they are given."""
    near, far = ball(20, 50 * axes[2], RED), ball(40, -50 * axes[2], GREEN)
    for order in ((near, far), (far, near)):
        picture = drawn(axes, *order)
        assert picture[100, 100].argmax() == 0 and picture[100, 130].argmax() == 1
        assert (picture[5, 5] == 255).all()


def test_two_triangles_with_a_common_side_leave_no_gap():
    corners = np.array([[-50, -50, 0], [50, -50, 0], [50, 50, 0], [-50, 50, 0]], float)
    for faces in ([[0, 1, 2], [0, 2, 3]], [[0, 2, 1], [0, 3, 2]]):
        seen = drawn(ALONG_Z, (corners, np.array(faces), RED)).min(axis=-1) < 250
        # one of them faces the viewer, the other one shows its back, which is not drawn
        assert seen[52:148, 52:148].all() or not seen.any()
        assert seen.any() == (faces[0] == [0, 2, 1])


def test_the_light_comes_from_above_and_lines_darken():
    picture = drawn(ALONG_Z, ball(60))
    assert picture[60, 80].sum() > picture[140, 120].sum() + 50
    assert drawn(ALONG_Z, ball(60), lines=True).mean() < picture.mean()


def test_no_mesh_and_faces_without_area_are_no_harm():
    points = np.array([[0, 0, 0], [3, 0, 0], [0, 0, 5]], float)
    flat = (points, np.array([[0, 1, 0], [0, 0, 0]]), RED)
    assert (drawn(ALONG_Z) == 255).all() and (drawn(ALONG_Z, flat) == 255).all()


@pytest.mark.parametrize("axes", [ALONG_Z, *sides()], ids=range(9))
def test_axes_are_orthonormal_and_the_frame_holds_all(axes):
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    plot = Figure().add_subplot()
    frame(plot, np.array([-10.0, 5.0]), np.array([90.0, 25.0]))
    assert plot.get_xlim() == pytest.approx((-10 - 100 * MARGIN, 90 + 100 * MARGIN))
    assert plot.get_ylim() == pytest.approx((25 + 20 * MARGIN, 5 - 20 * MARGIN))


def test_the_broad_side():
    points = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 30, 5]
    right, down, near = np.abs(broadside(points))
    assert [right.argmax(), down.argmax(), near.argmax()] == [1, 2, 0]
