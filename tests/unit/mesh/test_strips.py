import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifold import border
from snakemesh.mesh.strips import Companions, add_strips, borders_of, unit


def bent_sheet(n, bend, seed):
    """A sheet of n x n squares, bent along y, with corners out of place: vertices and faces.

    Its border is what lies on its four sides.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: n + 1, : n + 1].reshape(2, -1) * 1000.0
    z = bend * (y - n * 500) ** 2 / 1000
    vertices = np.stack([x, y, z], axis=1)
    vertices += rng.integers(-150, 151, vertices.shape)
    a = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    b, c, d = a + 1, a + n + 2, a + n + 1
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return vertices.astype(np.int32), rng.permutation(faces).astype(np.int32)


def stripped(vertices, faces, width, is_wanted, far=10**9):
    """A sheet with strips, and its borders. They are `width` wide, and lie in the plane z = 0."""
    groups = np.zeros(len(faces), int)
    borders = borders_of(faces, groups, is_wanted)
    points = vertices.astype(float)
    at, before, after = (points[r] for r in (borders.vertices, borders.before, borders.after))
    along = unit(unit(after - at) + unit(at - before)) * [1, 1, 0]
    up = np.tile([0.0, 0, 1], (len(at), 1))
    limit = np.full((len(at), 3), far)
    moves = width * np.cross(up, along)
    return borders, add_strips(
        vertices,
        faces,
        groups,
        borders,
        Companions(moves, np.ones(len(at), bool), -limit, limit, np.ones(3, int)),
    )


def is_disk(faces):
    """Whether faces are a disk by Euler's formula, and each edge has two faces or one."""
    sides = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, counts = np.unique(np.sort(sides, axis=1), axis=0, return_counts=True)
    return counts.max() <= 2 and len(np.unique(faces)) - len(edges) + len(faces) == 1


def test_the_border_of_two_groups():
    """Two triangles beside each other: alone each has three edges, as one group they have four."""
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    wanted = np.ones(4, bool)
    together = borders_of(faces, np.zeros(2, int), wanted)
    assert sorted(map(tuple, together.edges.tolist())) == [
        (0, 0, 1, 0),
        (0, 1, 3, 1),
        (0, 2, 0, 0),
        (0, 3, 2, 1),
    ]
    assert together.vertices.tolist() == [0, 1, 2, 3]
    assert together.before.tolist() == [2, 0, 3, 1]
    assert together.after.tolist() == [1, 3, 0, 2]
    apart = borders_of(faces, np.array([5, 7]), wanted)
    assert apart.groups.tolist() == [5] * 3 + [7] * 3
    assert apart.vertices.tolist() == [0, 1, 2, 1, 2, 3]
    assert apart.after.tolist() == [1, 2, 0, 3, 1, 2]


def test_where_borders_meet_is_left_out():
    faces = np.array([[0, 1, 2], [0, 3, 4]])
    found = borders_of(faces, np.zeros(2, int), np.ones(5, bool))
    assert found.vertices.tolist() == [1, 2, 3, 4] and len(found.edges) == 6


def test_nothing_is_wanted():
    faces = np.array([[0, 1, 2]])
    found = borders_of(faces, np.zeros(1, int), np.zeros(3, bool))
    assert len(found.vertices) == len(found.edges) == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.sampled_from([0.05, 0.2, 1.0]))
def test_a_disk_stays_one_with_the_same_border(seed, n, bend):
    vertices, faces = bent_sheet(n, bend, seed)
    wanted = np.random.default_rng(seed).random(len(vertices)) < 0.7
    near = wanted[faces].any(axis=1)
    if not near.any():
        return
    _, (moved, beside, strips, of) = stripped(vertices, faces[near], 200, wanted)
    whole = np.concatenate([faces[~near], beside, strips])
    assert border(whole.tolist()) == border(faces.tolist())
    assert is_disk(whole)
    np.testing.assert_array_equal(moved[: len(vertices)], vertices)
    assert len(strips) <= 4 * 2 * n * 2
    # each strip lies beside its face: they have an edge in common, or two of the same vertices
    for strip, face in zip(strips, faces[near][of], strict=True):
        assert len(set(strip.tolist()) & set(face.tolist())) >= 1


def test_vertices_get_the_normal_that_is_wanted():
    """Along the border across the bend of a sheet; its faces are up to 20 degrees off."""
    vertices, faces = bent_sheet(6, 0.08, 1)
    is_side = vertices[:, 1] < 500
    is_side &= (vertices[:, 0] > 500) & (vertices[:, 0] < 5500)
    borders, (moved, beside, strips, _) = stripped(vertices, faces, 200, is_side)
    assert len(borders.vertices) == 5
    drawn = []
    for points, triangles in ((vertices, faces), (moved, np.concatenate([beside, strips]))):
        a, b, c = points.astype(float)[triangles].transpose(1, 0, 2)
        normals = unit(np.cross(b - a, c - a))
        sums = [normals[(triangles == v).any(axis=1)].sum(axis=0) for v in borders.vertices]
        drawn.append(np.degrees(np.arccos(unit(np.array(sums))[:, 2])))
    assert drawn[0].min() > 15 and drawn[1].max() < 8


def test_companions_stay_between_limits():
    vertices, faces = bent_sheet(4, 0.2, 3)
    wanted = np.ones(len(vertices), bool)
    _, (free, *_) = stripped(vertices, faces, 200, wanted)
    _, (held, beside, strips, _) = stripped(vertices, faces, 200, wanted, far=3500)
    assert len(vertices) < len(held) < len(free)
    assert np.abs(held[len(vertices) :]).max() < 3500
    assert is_disk(np.concatenate([beside, strips]))


@pytest.mark.parametrize("width", [200, 2000])
def test_no_face_turns_over(width):
    vertices, faces = bent_sheet(5, 0.05, 2)
    _, (moved, beside, _, _) = stripped(vertices, faces, width, np.ones(len(vertices), bool))
    assert len(moved) > len(vertices)
    normals = []
    for points, triangles in ((vertices, faces), (moved, beside)):
        a, b, c = points.astype(float)[triangles].transpose(1, 0, 2)
        normals.append(unit(np.cross(b - a, c - a)))
    assert (normals[0] * normals[1]).sum(axis=1).min() >= 0.5
