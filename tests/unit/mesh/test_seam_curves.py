from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.mesh.pieces import on_planes
from snakemesh.mesh.seam_curves import MIN_LOOP, thin_curves
from snakemesh.mesh.vertex_states import DROPPED, FREE, HELD, KEPT
from surfaces import (
    ball,
    dense,
    face_pieces,
    noise,
    pieces_of,
    planes_at,
    shuffled,
    tile_pieces,
    unbalanced,
    voronoi,
)

VOXEL = 256
STEP = np.array([1.0, 0.8, 1.3]) / VOXEL
VOLUMES = {
    "ball": ball((20, 20, 20), (9.7, 10.2, 10.1), 8),
    "voronoi": voronoi((16, 18, 20), 6, 1),
    "noise": noise((10, 11, 12), 3, 2),
}
# The planes of two axes meet in all volumes; some lie in vertices of unsmoothed surfaces.
PLACES = ((3 * VOXEL + 40, 7 * VOXEL), (6 * VOXEL + 128,), (4 * VOXEL, 5 * VOXEL + 1))


def curves_of(pieces):
    """The curves between pieces, and their nodes, found one edge after another.

    Returns paths of vertices, of which loops end where they begin, and a set of vertices. An edge
    is in a curve if its ends lie in one plane, and it has not two faces or more in one piece alone.
    """
    planes = on_planes(pieces.codes)
    seen = defaultdict(list)
    for face, piece in zip(pieces.faces.tolist(), face_pieces(pieces).tolist(), strict=True):
        for u, v in zip(face, face[1:] + face[:1], strict=True):
            if planes[u] & planes[v]:
                seen[min(u, v), max(u, v)].append(piece)
    edges = [edge for edge, of in seen.items() if len(of) == 1 or of[0] != of[1]]
    around = defaultdict(list)
    for u, v in edges:
        around[u].append(v)
        around[v].append(u)
    axes = {v: sum(bool(planes[v] >> 2 * i & 3) for i in range(3)) for v in around}
    nodes = {v for v in around if len(around[v]) != 2 or axes[v] > 1}
    left, paths = {frozenset(edge) for edge in edges}, []
    for start in [*sorted(nodes), *sorted(around)]:
        for then in around[start]:
            if frozenset((start, then)) not in left:
                continue
            path = [start, then]
            left.remove(frozenset(path))
            while path[-1] not in nodes and path[-1] != start:
                a, b = around[path[-1]]
                path.append(b if a == path[-2] else a)
                left.remove(frozenset(path[-2:]))
            paths.append(path)
    assert not left
    return paths, nodes


def from_segment(points, a, b):
    """The distances of points (n, 3) from the segment from a to b."""
    length2 = ((b - a) ** 2).sum()
    t = np.clip((points - a) @ (b - a) / length2, 0, 1) if length2 > 0 else np.zeros(len(points))
    return np.linalg.norm(points - a - t[:, None] * (b - a), axis=1)


def thinned(name, n_iter, tolerance=0.3, spacing=4.0):
    """Pieces, where their vertices were before, what became of each, and the planes."""
    pieces = pieces_of(*dense(VOLUMES[name], n_iter, VOXEL), planes_at(PLACES))
    before = pieces.vertices.copy()
    return pieces, before, *thin_curves(pieces, STEP, tolerance, spacing)


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("n_iter", [0, 2])
def test_vertices_are_in_curves_or_held_or_free(name, n_iter):
    pieces, before, states, planes = thinned(name, n_iter)
    paths, nodes = curves_of(pieces)
    in_curves = {v for path in paths for v in path}
    bits = on_planes(pieces.codes)
    assert states.dtype == planes.dtype == np.uint8
    assert set(np.flatnonzero((states == KEPT) | (states == DROPPED)).tolist()) == in_curves
    held = (bits > 0) & ~np.isin(np.arange(len(bits)), list(in_curves))
    np.testing.assert_array_equal(states == HELD, held)
    np.testing.assert_array_equal(states == FREE, bits == 0)
    np.testing.assert_array_equal(planes, np.where(held, 0, bits))
    assert len(nodes) > 3 and (states[list(nodes)] == KEPT).all()
    np.testing.assert_array_equal(pieces.vertices[states != KEPT], before[states != KEPT])
    np.testing.assert_array_equal(pieces.vertices[list(nodes)], before[list(nodes)])
    # what moves stays in its plane
    in_plane = (bits[:, None] >> (2 * np.arange(3)) & 3) > 0
    np.testing.assert_array_equal(pieces.vertices[in_plane], before[in_plane])


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("n_iter", [0, 2])
@pytest.mark.parametrize(("tolerance", "spacing"), [(0.3, 4.0), (0.05, 99.0), (99.0, 1.5), (9, 9)])
def test_curves_keep_what_they_need(name, n_iter, tolerance, spacing):
    pieces, before, states, _ = thinned(name, n_iter, tolerance, spacing)
    paths, nodes = curves_of(pieces)
    n_dropped = n_bound = 0
    for path in paths:
        is_loop = path[0] == path[-1]
        is_kept = states[path] == KEPT
        inner = is_kept[1:-1].sum()
        if is_loop:
            assert is_kept[:-1].sum() >= min(MIN_LOOP, len(path) - 1)
            if len(path) - 1 <= MIN_LOOP:
                continue
        else:
            assert inner >= min(1, len(path) - 2)
        is_free_loop = is_loop and path[0] not in nodes
        if is_free_loop:  # begin at a vertex that is kept
            first = int(np.flatnonzero(is_kept)[0])
            path = path[first:-1] + path[: first + 1]
            is_kept = states[path] == KEPT
        curve = before[path] * STEP
        kept = np.flatnonzero(is_kept)
        for i, j in zip(kept, kept[1:], strict=False):
            length = np.linalg.norm(curve[j] - curve[i])
            n_bound += j - i > 1
            n_dropped += j - i - 1
            assert j - i == 1 or length <= spacing + 1e-9
            if j - i > 1:
                assert from_segment(curve[i + 1 : j], curve[i], curve[j]).max() <= tolerance + 1e-9
    assert n_dropped > 20 and n_bound > 10


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("n_iter", [0, 2])
def test_no_two_curves_become_the_same_edges(name, n_iter):
    pieces, _, states, _ = thinned(name, n_iter, 99.0, 99.0)
    found = []
    for path in curves_of(pieces)[0]:
        kept = [v for v in path if states[v] == KEPT]
        found += [frozenset(edge) for edge in zip(kept, kept[1:], strict=False)]
    # a loop of fewer than three vertices would be one edge twice
    assert max(Counter(found).values()) == 1 and min(map(len, found)) == 2


def test_a_finer_tolerance_or_spacing_keeps_more():
    def n_kept(tolerance, spacing):
        return (thinned("ball", 2, tolerance, spacing)[2] == KEPT).sum()

    assert n_kept(0.5, 99) < n_kept(0.1, 99) < n_kept(0.02, 99)
    assert n_kept(99, 99) < n_kept(99, 4) < n_kept(99, 2)


@pytest.mark.parametrize("at", [10.0, 13.3, 16.0])
@pytest.mark.parametrize("radius", [8.5, 9.0])
def test_a_circle_stays_a_circle(at, radius):
    mesh = dense(ball((22, 22, 22), (10, 10, 10), radius), 5, VOXEL)
    pieces = pieces_of(*mesh, planes_at(((), (), (round(at * VOXEL),))))
    states, _ = thin_curves(pieces, np.full(3, 1 / VOXEL), 0.3, 4.0)
    kept = pieces.vertices[states == KEPT] / VOXEL
    assert MIN_LOOP < len(kept) < (states == DROPPED).sum() / 3
    centre = 10.5  # the middle of the voxel
    distance = np.linalg.norm(kept[:, :2] - centre, axis=1)
    expected = (radius**2 - (at - centre) ** 2) ** 0.5
    np.testing.assert_allclose(distance, expected, atol=0.3)
    assert distance.mean() == pytest.approx(expected, abs=0.15)


# -- single loops -------------------------------------------------------------------------------


def bipyramid(polygon):
    """The two halves of a bipyramid over a polygon (n, 2), cut apart in the polygon's plane."""
    n = len(polygon)
    vertices = np.zeros((n + 2, 3), np.int32)
    vertices[:n, :2] = polygon
    vertices[n:, 2] = 999, -999
    ring = np.arange(n)
    after = np.roll(ring, -1)
    upper = np.stack([ring, after, np.full(n, n)], axis=1)
    lower = np.stack([after, ring, np.full(n, n + 1)], axis=1)
    faces = np.concatenate([upper, lower]).astype(np.int32)
    return pieces_of(vertices, faces, np.zeros(2 * n, np.int32), planes_at(((), (), (0,))))


def thinned_loop(polygon, tolerance=99.0):
    """Where the vertices of a polygon were, where they are, and what became of them."""
    pieces = bipyramid(polygon)
    before = pieces.vertices.copy()
    states, _ = thin_curves(pieces, np.full(3, 1 / VOXEL), tolerance, 99.0)
    n = len(polygon)
    return np.column_stack([before[:n], pieces.vertices[:n], states[:n]])


corner = st.tuples(st.integers(0, 3), st.integers(0, 3))
polygons = st.lists(corner, min_size=3, max_size=9).map(lambda p: np.array(p) * VOXEL // 2)


@settings(deadline=None, max_examples=300)
@given(polygons)
def test_a_loop_keeps_the_least_number_of_vertices(polygon):
    states = thinned_loop(polygon)[:, -1]
    assert set(states.tolist()) <= {KEPT, DROPPED}
    assert (states == KEPT).sum() >= min(MIN_LOOP, len(polygon))


@settings(deadline=None, max_examples=300)
@given(polygons, st.integers(0, 8), st.sampled_from([0.2, 99.0]))
def test_a_loop_is_thinned_the_same_from_any_vertex_both_ways(polygon, turn, tolerance):
    # vertices may be in one place: rounding can do that to those of small loops
    found = [
        Counter(map(tuple, thinned_loop(other, tolerance).tolist()))
        for other in (polygon, np.roll(polygon, turn, axis=0), polygon[::-1])
    ]
    assert found[0] == found[1] == found[2]


# -- both sides of a seam -----------------------------------------------------------------------


def by_place(pieces, before, states, offset):
    """How often vertices of each state were at each place in a plane, and where they are now."""
    curve = np.isin(states, (KEPT, DROPPED))
    rows = np.column_stack([before - offset, pieces.vertices - offset, states])[curve]
    return Counter(map(tuple, rows.tolist()))


@pytest.mark.parametrize(("name", "n_iter"), [*product(VOLUMES, (0, 2))])
@settings(deadline=None, max_examples=15)
@given(
    offset=st.tuples(*[st.integers(-900_000, 900_000)] * 3),
    seed=st.integers(0, 999),
    limits=st.sampled_from([(0.3, 4.0), (0.1, 2.0), (99.0, 99.0)]),
)
def test_curves_do_not_depend_on_place_or_numbering(name, n_iter, offset, seed, limits):
    pieces, before, states, _ = thinned(name, n_iter, *limits)
    offset = np.array(offset, np.int32)
    vertices, faces, owners = dense(VOLUMES[name], n_iter, VOXEL)
    places = [[p + int(o) for p in axis] for axis, o in zip(PLACES, offset, strict=True)]
    moved = pieces_of(*shuffled(vertices + offset, faces, owners, seed), planes_at(places))
    moved_before = moved.vertices.copy()
    moved_states, _ = thin_curves(moved, STEP, *limits)
    assert by_place(moved, moved_before, moved_states, offset) == by_place(
        pieces, before, states, 0
    )


CELL, N_CELLS = (6, 7, 5), (4, 3, 3)  # x y z
TILED = {labels_of: labels_of((14, 18, 20), 4, 5) for labels_of in (noise, voronoi)}


@pytest.mark.parametrize("labels_of", TILED)
@pytest.mark.parametrize("n_iter", [0, 2])
@pytest.mark.parametrize(("axis", "cell"), [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("has_octants", [False, True])
def test_both_tiles_keep_the_same_vertices_on_their_seam(
    labels_of, n_iter, axis, cell, has_octants
):
    step = np.array([1.0, 1.1, 0.9]) * CELL / CELL_STEPS
    found = []
    for is_upper in (False, True):
        # the tiles are of unlike extents, and see no more than their halos
        begin = [cell if i == axis and is_upper else 0 for i in range(3)]
        end = [cell if i == axis and not is_upper else n for i, n in enumerate(N_CELLS)]
        pieces, _, _ = tile_pieces(TILED[labels_of], CELL, begin, end, n_iter, has_octants)
        offset = np.multiply(begin, CELL_STEPS)
        before = pieces.vertices.copy()
        states, _ = thin_curves(pieces, step, 0.3, 3.0)
        # a curve of another plane may touch the seam from one side: look at the border alone
        border = unbalanced(pieces.faces)
        border = border[(before[border, axis] + offset[axis] == cell * CELL_STEPS).all(axis=1)]
        states = np.where(np.isin(np.arange(len(states)), border), states, FREE)
        found.append(by_place(pieces, before, states, -offset))
    assert found[0] == found[1]
    kinds = Counter(row[-1] for row in found[0])
    assert kinds[KEPT] > 40 and kinds[DROPPED] > 10
