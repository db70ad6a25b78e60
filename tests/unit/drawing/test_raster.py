"""Pictures of bodies whose silhouettes are known."""

import numpy as np
import pytest
import trimesh

from snakemesh.drawing.raster import SAMPLES, draw, new_canvas, picture
from snakemesh.drawing.views import View, looking, sides
from snakemesh.meshes.normals import vertex_normals

ALONG_Z = looking((1, 0, 0), (0, 1, 0))
RED, GREEN = (255, 0, 0), (0, 255, 0)


def ball(radius, centre=(0, 0, 0), colour=RED):
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    return np.array(mesh.vertices) + centre, np.array(mesh.faces), colour


def drawn(axes, *meshes, lines=0.0):
    """A picture of 200 x 200 pixels, RGBA from 0 to 255, of -100 to 100 nm."""
    canvas = new_canvas(View(axes, np.zeros(3), 1.0, (200, 200)))
    for number, (vertices, faces, _) in enumerate(meshes):
        normals = vertex_normals(vertices, faces).astype(np.float32)
        draw(canvas, number, vertices, normals, faces.astype(np.int32), lines)
    colours = np.array([colour for *_, colour in meshes], np.uint8).reshape(-1, 3)
    return picture(canvas, colours).astype(int)


def test_the_silhouette_of_a_ball():
    """Alpha is the part of each pixel that it covers, so all of it is the area of a disc."""
    alpha = drawn(ALONG_Z, ball(60, (10, -20, 7)))[..., 3] / 255
    y, x = np.mgrid[-100:100, -100:100] + 0.5
    distance = np.hypot(x - 10, y + 20)
    assert (alpha[distance < 59] == 1).all() and not alpha[distance > 61].any()
    assert alpha.sum() == pytest.approx(np.pi * 60**2, rel=2e-3)
    assert len(np.unique(alpha)) == SAMPLES**2 + 1


@pytest.mark.parametrize("axes", [ALONG_Z, *sides()], ids=range(9))
def test_what_is_nearer_hides_what_is_behind(axes):
    """From whichever side, and in whichever order they are given."""
    near, far = ball(20, 50 * axes[2], RED), ball(40, -50 * axes[2], GREEN)
    for order in ((near, far), (far, near)):
        found = drawn(axes, *order)
        assert found[100, 100, :3].argmax() == 0 and found[100, 130, :3].argmax() == 1
        assert not found[5, 5].any()


def test_every_sample_shows_the_nearest_triangle():
    """Next to all triangles at all samples by the formula of a plane."""
    rng = np.random.default_rng(0)
    vertices = rng.uniform(-8, 8, (90, 3))
    faces = np.arange(90).reshape(-1, 3)
    canvas = new_canvas(View(ALONG_Z, np.zeros(3), 1.0, (16, 16)))
    for number, face in enumerate(faces):
        draw(canvas, number, vertices, np.ones((90, 3), np.float32), face[None])
    side = 16 * SAMPLES
    at = (np.stack(np.meshgrid(*[np.arange(side)] * 2), axis=-1) + 0.5) / SAMPLES - 8
    best, owner = np.full((side, side), -np.inf), np.full((side, side), -1)
    for number, (a, b, c) in enumerate(vertices[faces]):
        edges = np.stack([b[:2] - a[:2], c[:2] - a[:2]], axis=1)
        if np.linalg.det(edges) >= 0:  # its back
            continue
        parts = (at - a[:2]) @ np.linalg.inv(edges).T
        inside = (parts >= 0).all(axis=-1) & (parts.sum(axis=-1) <= 1)
        # what is near is small along z
        near = -(a[2] + parts @ [b[2] - a[2], c[2] - a[2]])
        won = inside & (near > best)
        best[won], owner[won] = near[won], number
    seen = canvas.nearness > -np.inf
    np.testing.assert_array_equal(seen, owner >= 0)
    np.testing.assert_array_equal(canvas.owner[seen], owner[seen])
    assert len(np.unique(owner)) > 5


def test_two_triangles_with_a_common_side_leave_no_gap():
    corners = np.array([[-50, -50, 0], [50, -50, 0], [50, 50, 0], [-50, 50, 0]], float)
    for faces in ([[0, 1, 2], [0, 2, 3]], [[0, 2, 1], [0, 3, 2]]):
        alpha = drawn(ALONG_Z, (corners, np.array(faces), RED))[..., 3]
        # one of them faces the viewer, the other one shows its back, which is not drawn
        assert (alpha[50:150, 50:150] == 255).all() or not alpha.any()
        assert alpha.any() == (faces[0] == [0, 2, 1])


def test_the_light_comes_from_above_and_lines_darken():
    found = drawn(ALONG_Z, ball(60))
    assert found[60, 80, 0] > found[140, 120, 0] + 50
    assert drawn(ALONG_Z, ball(60), lines=1.0)[..., 0].mean() < 0.9 * found[..., 0].mean()


def test_light_does_not_run_over_a_sharp_edge():
    """Each side of a cube has one colour, although its sides have common vertices."""
    cube = trimesh.creation.box((80, 80, 80))
    red = drawn(sides()[0], (np.array(cube.vertices), np.array(cube.faces), RED))[..., 0]
    assert (np.sort(np.bincount(red[red > 0]))[-3:] > 2000).all()


def test_what_is_in_front_has_a_dark_outline():
    """Beside the near ball the far one is darker than without it."""
    near, far = ball(20, (0, 0, -80), RED), ball(60, (0, 0, 60), GREEN)
    both, alone = drawn(ALONG_Z, near, far), drawn(ALONG_Z, far)
    assert both[100, 120, 1] < 0.7 * alone[100, 120, 1]
    assert (both[100, 130] == alone[100, 130]).all()


def test_no_mesh_and_faces_without_area_are_no_harm():
    points = np.array([[0, 0, 0], [3, 0, 0], [0, 0, 5]], float)
    flat = (points, np.array([[0, 1, 0], [0, 0, 0]]), RED)
    assert not drawn(ALONG_Z).any() and not drawn(ALONG_Z, flat).any()
