from fractions import Fraction
from math import floor

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.mesh.cutting import facing, split
from surfaces import canonical, open_edges, shuffled, unbalanced

SPHERE = trimesh.creation.icosphere(subdivisions=1)
axes = st.integers(0, 2)


@st.composite
def closed_meshes(draw):
    """A closed mesh of 80 faces, the owner of each (0 or 1), and the position of a plane.

    The corners lie anywhere, but mostly on few planes. So the mesh cuts through itself and has
    faces without area. What holds for it holds for any mesh.
    """
    width = draw(st.sampled_from([1, 2, 5, 40, 100_000]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    vertices = rng.integers(-width, width + 1, SPHERE.vertices.shape).astype(np.int32)
    owners = np.arange(len(SPHERE.faces), dtype=np.int32) // 40
    return vertices, SPHERE.faces.astype(np.int32), owners, draw(st.integers(-width, width))


def area(triangles):
    a, b, c = triangles.astype(float).transpose(1, 0, 2)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def volume(triangles):
    return np.linalg.det(triangles.astype(float)).sum() / 6


# -- split --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(closed_meshes(), axes)
def test_no_piece_crosses_and_nothing_opens(mesh, axis):
    vertices, faces, owners, plane = mesh
    new_vertices, pieces, piece_owners = split(vertices, faces, owners, axis, plane)
    low, high = (f(new_vertices[pieces][..., axis], axis=1) for f in (np.min, np.max))
    assert ((high <= plane) | (low >= plane)).all()
    assert len(unbalanced(pieces)) == 0
    np.testing.assert_array_equal(new_vertices[: len(vertices)], vertices)
    assert (new_vertices[len(vertices) :, axis] == plane).all()
    assert new_vertices.dtype == pieces.dtype == piece_owners.dtype == np.int32


@settings(deadline=None)
@given(closed_meshes(), axes)
def test_a_cut_is_where_each_edge_meets_the_plane_and_nowhere_else(mesh, axis):
    vertices, faces, owners, plane = mesh
    expected = []
    for u, v in {(u, v) for f in faces.tolist() for u, v in zip(f, f[1:] + f[:1], strict=True)}:
        low, high = vertices[u].tolist(), vertices[v].tolist()
        if low[axis] < plane < high[axis]:
            part = Fraction(plane - low[axis], high[axis] - low[axis])
            at = [a + part * (b - a) for a, b in zip(low, high, strict=True)]
            expected.append([floor(p + Fraction(1, 2)) for p in at])
    found = split(vertices, faces, owners, axis, plane)[0][len(vertices) :]
    assert sorted(found.tolist()) == sorted(expected)


@settings(deadline=None)
@given(closed_meshes(), axes, st.integers(0, 99))
def test_a_cut_does_not_depend_on_place_or_numbering(mesh, axis, seed):
    vertices, faces, owners, plane = mesh
    new_vertices, pieces, piece_owners = split(vertices, faces, owners, axis, plane)
    offset = np.array([3, -700_001, 65_535], np.int32)
    other = shuffled(vertices + offset, faces, owners, seed)
    moved = split(*other, axis, plane + int(offset[axis]))
    for owner in (0, 1):
        np.testing.assert_array_equal(
            canonical(moved[0][moved[1][moved[2] == owner]] - offset),
            canonical(new_vertices[pieces[piece_owners == owner]]),
        )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("at", [-0.9, -0.3, 0.0, 0.5])
def test_area_and_volume_of_every_owner_are_kept(axis, at):
    radius = 1 << 18
    sphere = trimesh.creation.icosphere(subdivisions=3)
    vertices = np.rint(sphere.vertices * radius).astype(np.int32)
    faces = sphere.faces.astype(np.int32)
    owners = (np.arange(len(faces)) % 3).astype(np.int32)
    new_vertices, pieces, piece_owners = split(vertices, faces, owners, axis, int(at * radius))
    assert len(pieces) > len(faces)
    for owner in range(3):
        before, after = (
            vertices[faces[owners == owner]],
            new_vertices[pieces[piece_owners == owner]],
        )
        assert area(after) == pytest.approx(area(before), rel=1e-5)
        assert volume(after) == pytest.approx(volume(before), rel=1e-5)
    below = new_vertices[pieces]
    below = below[(below[..., axis] <= int(at * radius)).all(axis=1)]
    # the open edges are a circle in the plane, as exactly as 1280 faces are a sphere
    ring = np.unique(open_edges(below).reshape(-1, 3), axis=0)
    distance = np.linalg.norm(ring[:, [i for i in range(3) if i != axis]], axis=1)
    np.testing.assert_allclose(distance / radius, (1 - at**2) ** 0.5, rtol=0.02)


@settings(deadline=None)
@given(closed_meshes(), axes)
def test_a_second_cut_at_the_same_plane_finds_nothing(mesh, axis):
    cut = split(*mesh[:3], axis, mesh[3])
    again = split(*cut, axis, mesh[3])
    assert all(a is b for a, b in zip(cut, again, strict=True))


def test_a_mesh_without_faces():
    empty = np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32)
    assert [len(part) for part in split(*empty, 0, 5)] == [0, 0, 0]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_way_a_face_looks_is_twice_its_signed_area(axis):
    box = trimesh.creation.box(bounds=[[0, 0, 0], [10, 10, 10]])
    vertices, faces = box.vertices.astype(np.int32), box.faces.astype(np.int32)
    up = np.array([facing(vertices, face, axis) for face in faces])
    np.testing.assert_array_equal(up, 100 * np.sign(np.rint(box.face_normals[:, axis])))
