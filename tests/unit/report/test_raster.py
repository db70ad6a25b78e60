"""Pictures of bodies whose silhouettes are known."""

import numpy as np
import pytest
import trimesh

from snakemesh.report.raster import View, draw, new_canvas, vertex_normals
from snakemesh.report.shading import shaded
from snakemesh.report.views import OVERSAMPLING, broadside, closer, framing, looking, sides

ALONG_Z = looking((1, 0, 0), (0, 1, 0))


def ball(radius, centre=(0, 0, 0)):
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return np.array(mesh.vertices) + centre, np.array(mesh.faces)


def drawn(view, *meshes):
    canvas = new_canvas(view.size)
    for number, mesh in enumerate(meshes):
        draw(canvas, view, number, *mesh)
    return canvas


def test_the_silhouette_of_a_ball():
    view = View(ALONG_Z, np.array([100.0, 50.0, 0.0]), 2.0, (120, 90))
    canvas = drawn(view, ball(60, (110, 40, 7)))
    y, x = np.mgrid[:90, :120] + 0.5
    # 10 nm to the right and up from the middle, 2 nm a pixel
    distance = np.hypot(x - 65, y - 40)
    seen = canvas.owner == 0
    assert seen[distance < 29.5].all() and not seen[distance > 30.01].any()


def test_normals_and_nearness_of_a_ball():
    view = View(ALONG_Z, np.zeros(3), 1.0, (140, 140))
    canvas = drawn(view, ball(60))
    y, x = np.mgrid[:140, :140] + 0.5 - 70
    inside = np.hypot(x, y) < 55
    near = np.sqrt(60**2 - x**2 - y**2, where=inside, out=np.zeros_like(x))
    np.testing.assert_allclose(canvas.nearness[inside], near[inside], atol=0.3)
    expected = np.stack([x, y, near], axis=-1) / 60
    np.testing.assert_allclose(canvas.normal[inside], expected[inside], atol=0.03)


def test_what_is_nearer_hides_what_is_behind():
    # a look along z: a smaller z is nearer
    near, far = ball(20, (0, 0, -50)), ball(40, (0, 0, 50))
    view = View(ALONG_Z, np.zeros(3), 1.0, (100, 100))
    for order in ((near, far), (far, near)):
        canvas = drawn(view, *order)
        number = next(i for i, mesh in enumerate(order) if mesh is near)
        assert canvas.owner[50, 50] == number and canvas.owner[50, 80] == 1 - number
        assert canvas.owner[5, 5] == -1


def test_every_pixel_of_a_square_is_filled_once():
    """Two triangles with a common side leave no gap between them."""
    corners = np.array([[10, 10, 0], [90, 10, 0], [90, 60, 0], [10, 60, 0]], float)
    view = View(ALONG_Z, np.array([50.0, 50.0, 0.0]), 1.0, (100, 100))
    canvas = drawn(view, (corners, np.array([[0, 1, 2], [0, 2, 3]])))
    assert (canvas.owner == 0).sum() == 80 * 50
    assert (canvas.owner[10:60, 10:90] == 0).all()
    # the diagonal is an edge of both
    assert canvas.edge[10:60, 10:90].min() < 0.5 < canvas.edge[20, 80]


def test_triangles_beyond_the_picture_and_without_area_are_no_harm():
    view = View(ALONG_Z, np.zeros(3), 1.0, (10, 10))
    points = np.array([[100, 100, 0], [200, 100, 0], [100, 200, 0], [0, 0, 0], [3, 0, 0]], float)
    canvas = drawn(view, (points, np.array([[0, 1, 2], [3, 4, 3], [3, 3, 3]])))
    assert (canvas.owner == -1).all()
    assert (shaded(canvas, np.ones((1, 3))) == 1).all()


def test_normals_of_outward_faces_point_outward():
    vertices, faces = ball(1)
    for axes in (ALONG_Z, *sides()):
        points = View(axes, np.zeros(3), 1.0, (2, 2)).project(vertices) - [1, 1, 0]
        assert (np.einsum("ij,ij->i", points, vertex_normals(points, faces)) > 0.99).all()


@pytest.mark.parametrize("axes", [ALONG_Z, *sides()], ids=range(9))
def test_axes_are_orthonormal_and_the_frame_holds_all(axes):
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    points = np.random.default_rng(0).uniform(-1, 1, (100, 3)) * [500, 200, 90] + 4000
    view = framing(axes, points, (300, 200))
    assert view.size == (300 * OVERSAMPLING, 200 * OVERSAMPLING)
    right, down, _ = view.project(points).T
    for values, size in ((right, view.size[0]), (down, view.size[1])):
        assert values.min() >= 0.039 * size and values.max() <= 0.961 * size
    # it is not smaller than it must be
    assert max(np.ptp(right) / view.size[0], np.ptp(down) / view.size[1]) > 0.919


def test_the_broad_side():
    points = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 30, 5]
    right, down, near = np.abs(broadside(points))
    assert [right.argmax(), down.argmax(), near.argmax()] == [1, 2, 0]


def test_a_closer_look_has_the_same_point_in_the_middle():
    view = framing(sides()[0], *[np.eye(3) * 100], (200, 100))
    near = closer(view, (123.0, 45.0), 5)
    point = near.centre[None]
    np.testing.assert_allclose(view.project(point)[0, :2], [123, 45])
    assert near.nm_per_pixel == view.nm_per_pixel / 5


def test_the_light_comes_from_above_and_lines_darken():
    view = View(ALONG_Z, np.zeros(3), 1.0, (140, 140))
    canvas = drawn(view, ball(60))
    picture = shaded(canvas, np.array([[1.0, 0.5, 0.5]]))
    assert picture.shape == (70, 70, 3)
    assert picture[10, 30].sum() > picture[58, 40].sum() + 0.3
    assert (picture[0, 0] == 1).all()
    assert shaded(canvas, np.ones((1, 3)), lines=True).mean() < picture.mean()
