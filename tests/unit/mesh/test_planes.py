"""The planes that cut a tile, which of them hold a vertex, and how vertices stay between them."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.mesh.pieces import on_planes, planes_of_tile, push_back
from surfaces import dense, face_pieces, noise, open_edges, pieces_of, planes_at

VOXEL = 256

# -- planes_of_tile -----------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.booleans(),
    st.tuples(*[st.tuples(st.booleans(), st.integers(1, CELL_STEPS - 1) | st.none())] * 3),
    st.booleans(),
)
def test_every_slab_has_the_number_of_its_cell_and_octant(n_cells, has_octants, ends, is_seam):
    # upper seams, or ends of the volume, anywhere inside the last cell
    upper = [
        n * CELL_STEPS if part is None else (n - 1) * CELL_STEPS + part
        for n, (_, part) in zip(n_cells, ends, strict=True)
    ]
    seams = [
        (0 if at_lower else None, end if is_seam and end < n * CELL_STEPS else None)
        for n, (at_lower, _), end in zip(n_cells, ends, upper, strict=True)
    ]
    planes = planes_of_tile(n_cells, seams, has_octants, upper)
    assert planes.n_boxes == 8 * np.prod(n_cells)
    stride = 8
    for axis, (n, pair, end) in enumerate(zip(n_cells, seams, upper, strict=True)):
        lower, top = pair
        places = planes.positions[axis].tolist()
        wanted = {c * CELL_STEPS for c in range(1, n)}
        wanted |= {c * CELL_STEPS + OCTANT_PLANE for c in range(n)} if has_octants else set()
        wanted = {p for p in wanted if p < end} | {p for p in pair if p is not None}
        assert places == sorted(wanted)
        assert len(planes.boxes[axis]) == len(places) + 1
        edges = [-1 if lower is not None else 0, *places, end + (top is not None)]
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
    planes = planes_of_tile((2, 1, 1), seams, True, (end, CELL_STEPS, CELL_STEPS))
    pieces = pieces_of(lattice, faces, owners, planes)
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
