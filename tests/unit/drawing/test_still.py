"""Pictures with a bar: sizes in nm are known."""

import numpy as np
import pytest
import trimesh

from snakemesh.drawing.bodies import Body
from snakemesh.drawing.still import (
    LEAST_LETTERS,
    STRIP,
    drawn,
    scene_of,
    still_view,
    turntable_views,
)
from snakemesh.drawing.views import bar_nm, turned
from snakemesh.errors import UserError
from snakemesh.meshes.whole_mesh import WholeMesh

SIZE = 400, 300


def body(label, extents, centre=(0, 0, 0)):
    mesh = trimesh.creation.box(extents)
    return Body(label, 0, WholeMesh(np.array(mesh.vertices) + centre, np.array(mesh.faces), 1.0))


def grey(labels):
    return np.full((len(labels), 3), 200, np.uint8)


def alpha(scene, view):
    return np.asarray(drawn(scene, view, "transparent"))[..., 3]


def meshes_only(picture):
    """The rows above the strip of the bar."""
    return picture[: SIZE[1] - int(STRIP * LEAST_LETTERS)]


@pytest.mark.parametrize("far", [0, 1e9], ids=["near", "far"])
def test_a_box_has_its_size_and_the_bar_its_length(far):
    """Along z, a box of 3000 x 1000 nm; also 1 m away, where float32 would be 64 nm coarse."""
    scene = scene_of([body(1, (3000, 1000, 500), (far, -far, 10))], grey)
    view = still_view(scene, (0, 0), SIZE)
    seen = alpha(scene, view) / 255
    box = meshes_only(seen)
    assert box.sum(axis=1).max() * view.nm_per_pixel == pytest.approx(3000, rel=2e-3)
    assert box.sum(axis=0).max() * view.nm_per_pixel == pytest.approx(1000, rel=5e-3)
    bar = (seen[-20:] == 1).sum(axis=1).max()
    length = bar_nm(view.nm_per_pixel * SIZE[0])
    assert length == 500 or length == 1000
    assert abs(bar - length / view.nm_per_pixel) <= 0.5


@pytest.mark.parametrize("direction", [(0, 0), (32, 24), (200, -80), (90, 90)])
def test_a_frame_just_holds_the_scene(direction):
    scene = scene_of([body(1, (300, 80, 50), (99, 5, 0)), body(2, (20, 20, 400))], grey)
    seen = meshes_only(alpha(scene, still_view(scene, direction, SIZE)))
    rows, columns = np.nonzero(seen)
    free = rows.min(), len(seen) - 1 - rows.max(), columns.min(), SIZE[0] - 1 - columns.max()
    assert min(free) > 3
    assert abs(free[0] - free[1]) <= 2 and abs(free[2] - free[3]) <= 2
    assert min(free[0], free[2]) < 0.06 * SIZE[0]


def test_a_turntable_turns_about_the_middle_with_one_scale():
    scene = scene_of([body(1, (300, 80, 50), (1000, 5, 0)), body(2, (20, 20, 400))], grey)
    views = turntable_views(scene, (10, 20), SIZE, 8)
    np.testing.assert_allclose(views[0].axes, turned(10, 20))
    np.testing.assert_allclose(views[2].axes, turned(100, 20), atol=1e-12)
    assert len({view.nm_per_pixel for view in views}) == 1
    for view in views:
        seen = meshes_only(alpha(scene, view))
        assert seen.any() and not seen[[0, -1]].any() and not seen[:, [0, -1]].any()


def test_backgrounds():
    scene = scene_of([body(1, (30, 30, 30))], grey)
    view = still_view(scene, (32, 24), SIZE)
    found = {name: drawn(scene, view, name) for name in ("white", "black", "transparent")}
    assert {name: image.mode for name, image in found.items()} == {
        "white": "RGB",
        "black": "RGB",
        "transparent": "RGBA",
    }
    corners = {name: image.getpixel((1, 1)) for name, image in found.items()}
    assert corners["white"] == (255,) * 3 and corners["black"] == (0,) * 3
    assert corners["transparent"][3] == 0
    # where it is not covered, the background shows through, and elsewhere all are alike
    see_through = np.asarray(found["transparent"]).astype(int)
    part = see_through[..., 3:] / 255
    for name, ground in (("white", 255), ("black", 0)):
        expected = see_through[..., :3] * part + ground * (1 - part)
        differs = np.abs(meshes_only(np.asarray(found[name]).astype(int) - expected))
        assert differs.max() <= 2


def test_bodies_without_a_face_are_left_out():
    nothing = Body(2, 0, WholeMesh(np.empty((0, 3)), np.empty((0, 3), int), 1.0))
    scene = scene_of([nothing, body(1, (1, 1, 1))], lambda labels: np.repeat(labels[:, None], 3, 1))
    assert len(scene.solids) == 1 and scene.colours.tolist() == [[1, 1, 1]]
    with pytest.raises(UserError, match="no segment has a triangle"):
        scene_of([nothing], grey)
