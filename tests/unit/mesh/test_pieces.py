from itertools import pairwise, product

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.mesh.cutting import split
from snakemesh.mesh.pieces import on_planes, planes_of_tile, push_back
from snakemesh.multires.octree import CELL_STEPS, OCTANT_PLANE
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
    tile_pieces,
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


# -- tiles --------------------------------------------------------------------------------------

CELL = (6, 7, 5)  # x y z
# The volumes end inside the last cells, so that tiles there end at faces of the octree.
TILED = {labels_of: labels_of((14, 18, 20), 4, 5) for labels_of in (noise, voronoi)}
N_CELLS = (4, 3, 3)
PARTS = [((0, 2), (0,), (0,)), ((0, 1, 3), (0, 2), (0, 1)), ((0, 1, 2, 3), (0, 1, 2), (0, 1, 2))]


@pytest.mark.parametrize("labels_of", TILED)
@pytest.mark.parametrize("n_iter", [0, 2])
@pytest.mark.parametrize("has_octants", [False, True])
@pytest.mark.parametrize("parts", PARTS)
def test_tiles_fit_at_their_seams(labels_of, n_iter, has_octants, parts):
    labels = TILED[labels_of]
    whole, whole_labels, _ = tile_pieces(labels, CELL, (0, 0, 0), N_CELLS, n_iter, has_octants)
    found, n_dense = {}, 0
    spans = [list(pairwise([*part, n])) for part, n in zip(parts, N_CELLS, strict=True)]
    for box in product(*spans):
        begin, end = zip(*box, strict=True)
        pieces, piece_labels, _ = tile_pieces(labels, CELL, begin, end, n_iter, has_octants)
        n_dense += pieces.dense.sum()
        corners = (pieces.vertices + np.multiply(begin, CELL_STEPS))[pieces.faces]
        for label in np.unique(piece_labels):
            mine = corners[piece_labels[face_pieces(pieces)] == label]
            found[box, label] = mine
            edges = open_edges(mine)
            in_seam = [
                (edges[..., i] == place * CELL_STEPS).all(axis=1)
                for i in range(3)
                for place in box[i]
                if 0 < place < N_CELLS[i]
            ]
            assert np.any(in_seam, axis=0).all() if len(edges) else True
    # all tiles of a seam see the same border edges: together they are the surface of one tile
    assert n_dense == pytest.approx(whole.dense.sum(), rel=1e-9)
    for label in np.unique(whole_labels):
        mine = whole.vertices[whole.faces[whole_labels[face_pieces(whole)] == label]]
        joined = np.concatenate([t for (_, other), t in found.items() if other == label])
        np.testing.assert_array_equal(canonical(joined), canonical(mine))
        assert len(open_edges(joined)) == 0


@pytest.mark.parametrize("labels_of", TILED)
@pytest.mark.parametrize("n_iter", [0, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_tiles_find_the_same_border(labels_of, n_iter, axis):
    borders = []
    for is_upper in (False, True):
        begin = [1 if i == axis and is_upper else 0 for i in range(3)]
        end = [1 if i == axis and not is_upper else n for i, n in enumerate(N_CELLS)]
        pieces, labels, _ = tile_pieces(TILED[labels_of], CELL, begin, end, n_iter, True)
        corners = (pieces.vertices + np.multiply(begin, CELL_STEPS))[pieces.faces]
        border = set()
        for label in np.unique(labels).tolist():
            for edge in open_edges(corners[labels[face_pieces(pieces)] == label]).tolist():
                assert edge[0][axis] == edge[1][axis] == CELL_STEPS
                border.add((label, *map(tuple, sorted(edge))))
        borders.append(border)
    assert borders[0] == borders[1]
    assert len(borders[0]) > 100


# -- planes_of_tile -----------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.booleans(),
    st.tuples(*[st.tuples(st.booleans(), st.integers(1, CELL_STEPS - 1) | st.none())] * 3),
)
def test_every_slab_has_the_number_of_its_cell_and_octant(n_cells, has_octants, ends):
    # upper seams anywhere inside the last cell
    seams = [
        (0 if at_lower else None, None if part is None else (n - 1) * CELL_STEPS + part)
        for n, (at_lower, part) in zip(n_cells, ends, strict=True)
    ]
    planes = planes_of_tile(n_cells, seams, has_octants)
    assert planes.n_boxes == 8 * np.prod(n_cells)
    stride = 8
    for axis, (n, (lower, upper)) in enumerate(zip(n_cells, seams, strict=True)):
        end = n * CELL_STEPS if upper is None else upper
        places = planes.positions[axis].tolist()
        wanted = {c * CELL_STEPS for c in range(1, n)}
        wanted |= {c * CELL_STEPS + OCTANT_PLANE for c in range(n)} if has_octants else set()
        wanted = {p for p in wanted if p < end} | {p for p in (lower, upper) if p is not None}
        assert places == sorted(wanted)
        assert len(planes.boxes[axis]) == len(places) + 1
        edges = [-1 if lower is not None else 0, *places, end + (upper is not None)]
        for (a, b), box in zip(pairwise(edges), planes.boxes[axis].tolist(), strict=True):
            if a < 0 or b > end:
                assert box < 0
            else:
                cell, at = divmod((a + b) / 2, CELL_STEPS)
                half = has_octants and at > OCTANT_PLANE
                assert box == cell * stride + half * (1 << axis)
        stride *= n


def test_a_seam_inside_the_last_cell_ends_the_tile():
    step, end = CELL_STEPS // 8, CELL_STEPS + OCTANT_PLANE // 2
    vertices, faces, owners = dense(noise((8, 8, 16), 3, 2), 0, VOXEL)
    lattice = (vertices * step // VOXEL).astype(np.int32)
    seams = [(None, end), (None, None), (None, None)]
    pieces = pieces_of(lattice, faces, owners, planes_of_tile((2, 1, 1), seams, True))
    corners = pieces.vertices[pieces.faces]
    assert corners[..., 0].max() == end
    assert set(np.unique(pieces.boxes // 8)) == {0, 1}
    # the upper octants of the last cell lie beyond the seam
    assert set(np.unique(pieces.boxes[pieces.boxes >= 8] % 8)) == {0, 2, 4, 6}
    edges = open_edges(corners[pieces.owners[face_pieces(pieces)] == 0])
    assert len(edges) > 10 and (edges[..., 0] == end).all()


# -- on_planes, push_back -----------------------------------------------------------------------

few = st.lists(st.integers(-30, 30), unique=True, max_size=12).map(sorted)


@settings(deadline=None)
@given(st.tuples(few, few, few), st.integers(0, 999))
def test_the_bits_say_which_planes_hold_a_vertex(places, seed):
    vertices = np.random.default_rng(seed).integers(-31, 32, (90, 3)).astype(np.int32)
    faces = np.arange(90, dtype=np.int32).reshape(-1, 3)
    pieces = pieces_of(vertices, faces, np.zeros(30, np.int32), planes_at(places))
    expected = [
        sum(1 << (2 * i + places[i].index(p) % 2) for i, p in enumerate(v) if p in places[i])
        for v in pieces.vertices.tolist()
    ]
    found = on_planes(pieces.codes)
    assert found.dtype == np.uint8
    assert found.tolist() == expected


@settings(deadline=None)
@given(st.tuples(few, few, few), st.integers(0, 999))
def test_vertices_are_pushed_back_into_their_slabs(places, seed):
    rng = np.random.default_rng(seed)
    vertices = rng.integers(-31, 32, (90, 3)).astype(np.int32)
    faces = np.arange(90, dtype=np.int32).reshape(-1, 3)
    planes = planes_at(places)
    pieces = pieces_of(vertices, faces, np.zeros(30, np.int32), planes)
    moved = pieces.vertices + rng.integers(-20, 21, pieces.vertices.shape).astype(np.int32)
    expected = moved.copy()
    for v, i in np.ndindex(moved.shape):
        at = pieces.vertices[v, i]
        if at not in places[i]:
            low = max([p + 1 for p in places[i] if p < at], default=-999)
            high = min([p - 1 for p in places[i] if p > at], default=999)
            expected[v, i] = np.clip(moved[v, i], low, high)
    push_back(moved, pieces.codes, planes)
    np.testing.assert_array_equal(moved, expected)
