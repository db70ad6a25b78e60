"""Mean curvature of surfaces for which it is known, of which the sign says that they are convex."""

import numpy as np
import pytest
import trimesh

from snakemesh.measure.curvature import Ends, curvature
from snakemesh.meshes.whole_mesh import WholeMesh

EVERYWHERE = Ends(np.full(3, -np.inf), np.full(3, np.inf), np.zeros(3))


def found(mesh, ends=EVERYWHERE):
    return curvature_of(mesh.vertices, mesh.faces, ends)


def curvature_of(points, faces, ends):
    return curvature(WholeMesh(np.asarray(points, float), np.asarray(faces), 1e-6), ends)


@pytest.mark.parametrize("radius", [1.0, 250.0])
def test_a_ball_and_a_hole(radius):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    mean, sd = found(ball)
    assert mean == pytest.approx(1 / radius, rel=2e-3) and sd < 0.01 / radius
    ball.invert()
    assert found(ball) == pytest.approx((-mean, sd), rel=1e-9)


def test_a_box_has_half_a_right_angle_for_the_length_of_its_edges():
    sides = np.array([2.0, 3.0, 5.0])
    box = trimesh.creation.box(sides)
    area = 2 * (sides.prod() / sides).sum()
    assert found(box)[0] == pytest.approx(4 * sides.sum() * np.pi / 2 / 2 / area, rel=1e-12)


def test_flat_sides_have_none():
    """The sides of a box between the layers at the ends: its edges lie in them."""
    box = trimesh.creation.box((2, 3, 5)).subdivide().subdivide().subdivide()
    is_side = (np.abs(box.triangles_center) > [0.99, 9, 9]).any(axis=1)
    box.update_faces(is_side)
    assert found(box) == (0, 0)


@pytest.mark.parametrize("ratio", [2.0, 4.0])
def test_a_torus(ratio):
    """Its mean is half the curvature of the tube; the mean square is known from Willmore."""
    torus = trimesh.creation.torus(ratio, 1.0, major_sections=400, minor_sections=200)
    mean, sd = found(torus)
    square = ratio / np.sqrt(ratio**2 - 1) / 4
    assert mean == pytest.approx(1 / 2, rel=1e-3)
    assert sd == pytest.approx(np.sqrt(square - 1 / 4), rel=0.01)


@pytest.mark.parametrize("axis", range(3))
def test_a_rod_through_the_volume_has_that_of_its_wall(axis):
    """Its vertices all lie at the ends of the volume, and its caps, rounded at the rim, are left
    out.
    """
    rod = trimesh.creation.cylinder(10.0, height=500.0, sections=256)
    points = np.roll(np.asarray(rod.vertices), axis + 1, axis=1)
    reach = np.array([2.0, 4.0, 8.0])
    ends = Ends(np.full(3, -250.0), np.full(3, 250.0), reach)
    mean, sd = curvature_of(points, rod.faces, ends)
    assert mean == pytest.approx(1 / 20, rel=1e-3) and sd < 1e-3 * mean
    # nothing is left of what lies at one end, and all of what lies just beyond its reach
    assert np.isnan(curvature_of(points * 0.01 + 249, rod.faces, ends)).all()
    inside = Ends(np.full(3, -260.0), np.full(3, 260.0), reach)
    whole = rod.integral_mean_curvature / rod.area
    assert curvature_of(points, rod.faces, inside)[0] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_another_implementation(seed):
    """Convex and concave edges of a bumpy surface, in any order of faces and corners."""
    rng = np.random.default_rng(seed)
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=20)
    mesh.vertices += rng.normal(0, 0.7, mesh.vertices.shape)
    expected = mesh.integral_mean_curvature / mesh.area
    mean, sd = found(mesh)
    assert mean == pytest.approx(expected, rel=1e-9) and sd > 0
    faces = np.array([np.roll(face, rng.integers(3)) for face in rng.permutation(mesh.faces)])
    assert curvature_of(mesh.vertices, faces, EVERYWHERE) == pytest.approx((mean, sd))


def test_an_edge_of_four_faces_counts_as_flat():
    """Two cubes that touch along an edge."""
    one = trimesh.creation.box((1, 1, 1))
    other = one.copy()
    other.apply_translation((1, 1, 0))
    both = trimesh.util.concatenate([one, other])
    both.merge_vertices()
    assert len(both.vertices) == 14
    assert found(both)[0] == pytest.approx((24 - 2) * np.pi / 2 / 2 / 12, rel=1e-12)


@pytest.mark.parametrize("corner", [0.0, 1e9])
def test_a_face_without_area_counts_as_flat(corner):
    """Its corners lie in a line, in the middle of a side of a cube, though rounding moves them."""
    box = trimesh.creation.box((3, 3, 3))
    a, b = box.face_adjacency_edges[box.face_adjacency_angles < 0.1][0]
    row = next(i for i, face in enumerate(box.faces) if {a, b} <= set(face))
    turned = np.roll(box.faces[row], -next(i for i in range(3) if box.faces[row][i] not in (a, b)))
    tip, one, other = turned
    points = np.vstack([box.vertices, (2 * box.vertices[one] + box.vertices[other]) / 3])
    split = [[tip, one, 8], [tip, 8, other], [one, other, 8]]
    faces = np.vstack([np.delete(box.faces, row, axis=0), split])
    points = points / 7 + [corner, 0, 0]
    mesh = WholeMesh(points, faces, 1e-3)
    assert curvature(mesh, EVERYWHERE)[0] == pytest.approx(found(box)[0] * 7, rel=1e-6)


def test_no_faces():
    assert np.isnan(curvature_of(np.empty((0, 3)), np.empty((0, 3), int), EVERYWHERE)).all()
