from itertools import product

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.mesh.cutting import split
from surfaces import (
    canonical,
    dense,
    face_pieces,
    noise,
    open_edges,
    pieces_of,
    planes_at,
    shuffled,
    solid,
    unbalanced,
    voronoi,
)

VOXEL = 256
SHAPE = np.array([11, 12, 9])  # x y z, of the volumes that are cut at random
SURFACES = {
    (labels_of, n_iter): dense(labels_of(SHAPE[::-1], 4, 1), n_iter, VOXEL)
    for labels_of, n_iter in product((noise, voronoi), (0, 2))
}
axes = st.integers(0, 2)


@st.composite
def positions(draw):
    """Up to three planes on each axis: anywhere, or where vertices of unsmoothed surfaces lie."""
    found = []
    for n in SHAPE.tolist():
        anywhere = st.integers(-VOXEL, (n + 1) * VOXEL)
        special = st.integers(0, 2 * n).map(lambda half: half * VOXEL // 2)
        found.append(sorted(draw(st.sets(anywhere | special, max_size=3))))
    return found


def slabs_of(boxes, planes):
    """The slab on each axis of the boxes that `planes_at` has numbered, (n, 3)."""
    counts = [len(p) + 1 for p in planes.positions]
    return np.stack(np.unravel_index(boxes, counts, order="F"), axis=1)


def triangles_of(pieces, owner):
    return pieces.vertices[pieces.faces[pieces.owners[face_pieces(pieces)] == owner]]


# -- one cut ------------------------------------------------------------------------------------

SPHERE = trimesh.creation.icosphere(subdivisions=1)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([1, 2, 5, 40, 100_000]),
    st.integers(0, 1000),
    axes,
    st.floats(-1, 1),
    st.integers(0, 99),
)
def test_the_two_sides_of_copies_that_were_cut_apart_fit(width, seed, axis, at, other_seed):
    # The mesh cuts through itself and has faces without area. What holds for it holds for any.
    rng = np.random.default_rng(seed)
    vertices = rng.integers(-width, width + 1, SPHERE.vertices.shape).astype(np.int32)
    faces = SPHERE.faces.astype(np.int32)
    mesh = vertices, faces, np.arange(len(faces), dtype=np.int32) // 40
    plane = round(at * width)
    places = [(plane,) if i == axis else () for i in range(3)]
    halves = []
    for is_upper, copy in ((True, mesh), (False, shuffled(*mesh, other_seed))):
        seams = [(i == axis and not is_upper, i == axis and is_upper) for i in range(3)]
        pieces = pieces_of(*copy, planes_at(places, seams))
        halves.append(pieces.vertices[pieces.faces])
    # every face is on exactly one side, even if it lies in the plane, and nothing is left open
    cut_vertices, cut_faces, _ = split(*mesh, axis, plane)
    joined = np.concatenate(halves)
    np.testing.assert_array_equal(canonical(joined), canonical(cut_vertices[cut_faces]))
    assert len(open_edges(joined)) == 0
    assert (halves[0][..., axis] <= plane).all() and (halves[1][..., axis] >= plane).all()
    for half in halves:
        assert (open_edges(half)[..., axis] == plane).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("plane", "box"), [(0, 1), (10, 0)])
def test_faces_in_a_plane_are_on_the_side_of_their_object(axis, plane, box):
    cube = trimesh.creation.box(bounds=[[0, 0, 0], [10, 10, 10]])
    planes = planes_at([(plane,) if i == axis else () for i in range(3)])
    owners = np.zeros(12, np.int32)
    pieces = pieces_of(cube.vertices.astype(np.int32), cube.faces.astype(np.int32), owners, planes)
    assert pieces.boxes.tolist() == [box] and pieces.starts.tolist() == [0, 12]


def test_a_face_without_area_is_below():
    vertices = np.array([[0, 0, 5], [3, 3, 5], [6, 6, 5]], np.int32)
    faces = np.array([[0, 1, 2], [0, 0, 1]], np.int32)
    pieces = pieces_of(vertices, faces, np.zeros(2, np.int32), planes_at(((), (), (5,))))
    assert pieces.boxes.tolist() == [0]


def test_nothing_to_cut():
    empty = np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32)
    pieces = pieces_of(*empty, planes_at(((5,), (), (1, 2))))
    assert len(pieces.faces) == len(pieces.owners) == len(pieces.dense) == 0
    assert pieces.starts.tolist() == [0]


# -- many cuts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", SURFACES)
@settings(deadline=None, max_examples=20)
@given(places=positions())
def test_pieces_are_the_whole_surface_each_in_its_box(surface, places):
    vertices, faces, owners = SURFACES[surface]
    planes = planes_at(places)
    pieces = pieces_of(vertices, faces, owners, planes)
    np.testing.assert_array_equal(pieces.vertices[: len(vertices)], vertices)
    assert pieces.starts[0] == 0 and pieces.starts[-1] == len(pieces.faces)
    assert (np.diff(pieces.starts) > 0).all()
    order = list(zip(pieces.owners.tolist(), pieces.boxes.tolist(), strict=True))
    assert order == sorted(set(order))
    # the same as one plane after another
    whole = vertices, faces, owners
    for axis, axis_places in enumerate(places):
        for plane in axis_places:
            whole = split(*whole, axis, plane)
    for owner in range(owners.max() + 1):
        mine = triangles_of(pieces, owner)
        np.testing.assert_array_equal(
            canonical(mine), canonical(whole[0][whole[1][whole[2] == owner]])
        )
        assert len(unbalanced(pieces.faces[pieces.owners[face_pieces(pieces)] == owner])) == 0
        before, after = solid(vertices[faces[owners == owner]]), solid(mine)
        # no vertex of a cut is further than half a step on each axis from where it should be
        assert abs(after.volume - before.volume) <= before.area
    corners = pieces.vertices[pieces.faces].astype(np.int64)
    low, high = corners.min(axis=1), corners.max(axis=1)
    up = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    slabs = slabs_of(pieces.boxes, planes)[face_pieces(pieces)]
    for axis in range(3):
        ends = np.concatenate([[-(1 << 30)], places[axis], [1 << 30]])
        below, above = ends[slabs[:, axis]], ends[slabs[:, axis] + 1]
        assert (below <= low[:, axis]).all() and (high[:, axis] <= above).all()
        # in a plane, the object is on the side of the slab
        assert (up[:, axis][high[:, axis] == below] < 0).all()
        assert (up[:, axis][low[:, axis] == above] >= 0).all()


@pytest.mark.parametrize("surface", SURFACES)
@settings(deadline=None, max_examples=20)
@given(places=positions())
def test_dense_faces_are_shared_out_among_the_pieces(surface, places):
    vertices, faces, owners = SURFACES[surface]
    planes = planes_at(places)
    pieces = pieces_of(vertices, faces, owners, planes)
    found = np.bincount(pieces.owners, weights=pieces.dense)
    np.testing.assert_allclose(found, np.bincount(owners), rtol=1e-9)
    # a piece has no less than the faces strictly in its box, and no more than those that touch it
    low, high = vertices[faces].min(axis=1), vertices[faces].max(axis=1)
    for owner, slab, n in zip(
        pieces.owners, slabs_of(pieces.boxes, planes), pieces.dense, strict=True
    ):
        mine = owners == owner
        within, touching = mine.copy(), mine.copy()
        for axis in range(3):
            ends = [-(1 << 30), *places[axis], 1 << 30]
            below, above = ends[slab[axis]], ends[slab[axis] + 1]
            within &= (low[:, axis] > below) & (high[:, axis] < above)
            touching &= (high[:, axis] >= below) & (low[:, axis] <= above)
        assert within.sum() - 1e-9 <= n <= touching.sum() + 1e-9


@pytest.mark.parametrize("surface", SURFACES)
@settings(deadline=None, max_examples=20)
@given(places=positions(), seams=st.tuples(*[st.tuples(st.booleans(), st.booleans())] * 3))
def test_what_lies_beyond_seams_is_left_out_and_nothing_else(surface, places, seams):
    seams = [
        (at_lower and len(p) > 0, at_upper and len(p) > 0)
        for p, (at_lower, at_upper) in zip(places, seams, strict=True)
    ]
    mesh = SURFACES[surface]
    planes = planes_at(places)
    whole, pieces = pieces_of(*mesh, planes), pieces_of(*mesh, planes_at(places, seams))
    slabs = slabs_of(whole.boxes, planes)
    last = [len(p) for p in places]
    inside = np.ones(len(slabs), bool)
    for axis, (at_lower, at_upper) in enumerate(seams):
        inside &= ~(
            (at_lower & (slabs[:, axis] == 0)) | (at_upper & (slabs[:, axis] == last[axis]))
        )
    np.testing.assert_array_equal(pieces.owners, whole.owners[inside])
    np.testing.assert_array_equal(pieces.boxes, whole.boxes[inside])
    np.testing.assert_allclose(pieces.dense, whole.dense[inside], rtol=1e-9)
    np.testing.assert_array_equal(
        canonical(pieces.vertices[pieces.faces]),
        canonical(whole.vertices[whole.faces[inside[face_pieces(whole)]]]),
    )
