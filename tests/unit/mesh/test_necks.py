from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifold import assert_manifold, components, directed, voxel_pieces
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.necks import neck_vertices
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.smoothing import smooth
from snakemesh.mesh.surface import extract_surfaces
from surfaces import noise, weld


def sides_of(quad):
    return [frozenset(pair) for pair in pairwise([*quad, quad[0]])]


def test_two_voxels_that_share_an_edge_have_a_neck():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = labels[2, 3, 3] = 1
    nets = label_nets(compact_labels(labels))
    places, rows, on_sides = neck_vertices(nets.vertices, nets.quads, nets.necks)
    # x y z; the middle of the edge is 3.5, 3, 2. The other corners of the four quads are a third of
    # a voxel nearer to the middle of their voxel than its corner is: at y, z = 8/3, 4/3 and 11/3,
    # 7/3 for one of the two vertices, whose mean is 1/6 of a voxel from the middle of the edge.
    expected = np.array([[7 / 2, 3 - 1 / 12, 2 + 1 / 12], [7 / 2, 3 + 1 / 12, 2 - 1 / 12]])
    assert np.abs(places[np.argsort(places[:, 1])] - expected * VOXEL_STEPS).max() < 1
    assert len(rows) == 4 and (np.sort(on_sides, axis=1)[:, :3] == -1).all()
    assert sorted(on_sides.max(axis=1)) == [0, 0, 1, 1]


def test_a_vertex_is_a_quarter_of_a_voxel_from_the_middle_of_the_face():
    # vertices in the middle of their cells: u, v, and two beside them in each direction along x, y
    cells = [(0, 0), (-1, 0), (0, 1), (1, 0), (0, -1)]
    vertices = np.array([[x, y, z] for x, y in cells for z in (0, 1)], np.int32) * VOXEL_STEPS
    # x < 0, y > 0, x > 0, y < 0, each with u and v on another side
    quads = np.array([[0, 1, 3, 2], [1, 0, 4, 5], [7, 6, 0, 1], [8, 9, 1, 0]], np.int32)
    places, rows, on_sides = neck_vertices(vertices, quads, np.arange(4, dtype=np.int32)[None])
    quarter = VOXEL_STEPS // 4
    expected = [[-quarter, quarter, 2 * quarter], [quarter, -quarter, 2 * quarter]]
    assert places.tolist() == expected
    assert rows.tolist() == [0, 1, 2, 3]
    expected = [[0, -1, -1, -1], [0, -1, -1, -1], [-1, -1, 1, -1], [-1, -1, 1, -1]]
    assert on_sides.tolist() == expected


def test_necks_are_the_net_edges_with_four_quads():
    n_necks = 0
    for seed in range(5):
        nets = label_nets(compact_labels(noise((9, 10, 11), 2, seed)))
        quads = nets.quads.tolist()
        count = Counter(side for quad in quads for side in sides_of(quad))
        assert set(count.values()) <= {2, 4}
        doubled = {side: set() for side in count if count[side] == 4}
        for row, quad in enumerate(quads):
            for side in sides_of(quad):
                if side in doubled:
                    doubled[side].add(row)
        assert sorted(map(sorted, nets.necks.tolist())) == sorted(map(sorted, doubled.values()))
        assert (np.diff(nets.necks[:, 0]) >= 0).all()
        n_necks += len(doubled)

        places, rows, on_sides = neck_vertices(nets.vertices, nets.quads, nets.necks)
        found = {}
        for row, vertices in zip(rows.tolist(), on_sides.tolist(), strict=True):
            for side, vertex in zip(sides_of(quads[row]), vertices, strict=True):
                assert (vertex >= 0) == (side in doubled)
                if vertex >= 0:
                    found.setdefault(vertex, []).append((side, row))
        assert sorted(found) == list(range(len(places)))
        for vertex, at in found.items():
            (first, one), (second, other) = at
            assert first == second and one != other
            corners = nets.vertices[[*quads[one], *quads[other]]]
            assert np.abs(places[vertex] - corners.mean(axis=0)).max() <= 0.5
    assert n_necks > 400


def test_a_surface_without_the_vertices_of_necks_is_no_manifold(monkeypatch):
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = labels[2, 3, 3] = 1
    (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), 0)
    assert len(found.faces) == 2 * 12 + 4
    assert_manifold(found.faces)
    nets = label_nets(compact_labels(labels))
    with pytest.raises(AssertionError):
        assert_manifold(nets.quads)


def test_where_a_neck_is_does_not_depend_on_the_origin():
    nets = label_nets(compact_labels(noise((9, 10, 11), 2, seed=3)))
    smooth(nets.vertices, nets.quads, 2)
    places, _, _ = neck_vertices(nets.vertices, nets.quads, nets.necks)
    shift = np.array([-70_001, 3, 1_000_000_000], np.int32)
    moved, _, _ = neck_vertices(nets.vertices + shift, nets.quads, nets.necks)
    assert len(places) > 50
    np.testing.assert_array_equal(moved, places + shift)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.15, 0.3, 0.5, 0.8]),
    st.integers(1, 3),
    st.sampled_from([0, 1, 5]),
    st.tuples(*[st.integers(0, 1)] * 3),
)
def test_pieces_of_a_surface_are_those_of_the_voxels(seed, density, grain, n_iter, parity):
    rng = np.random.default_rng(seed)
    coarse = rng.random((6, 5, 7)) < density
    labels = np.kron(coarse, np.ones((grain, 1, grain), bool)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.05] = 2
    for surfaces in extract_surfaces(compact_labels(labels), (0, 0, 0), n_iter, parity):
        for i, label in enumerate(surfaces.labels.tolist()):
            faces = surfaces.faces[slice(*surfaces.face_starts[i : i + 2])]
            assert_manifold(faces)
            inside = np.pad(labels == label, 1)
            expected = voxel_pieces(inside, 2).max() + voxel_pieces(~inside, 1).max() + 1
            rows, numbered = np.unique(faces, return_inverse=True)
            pieces = components(len(rows), list(directed(numbered.reshape(-1, 3).tolist())))
            assert pieces.max() + 1 == expected


@pytest.mark.parametrize("thickness", [1, 2])
def test_a_slanting_sheet_is_one_piece(thickness):
    axes = np.meshgrid(*[np.arange(40)] * 3, indexing="ij", sparse=True)
    normal = np.array([0.62, 0.55, 0.56]) / np.linalg.norm([0.62, 0.55, 0.56])
    distance = sum(n * (a - 19.7) for n, a in zip(normal, axes, strict=True))
    labels = (np.abs(distance) <= thickness / 2).astype(np.uint8)
    (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), 5)
    _, faces = weld(found.vertices[found.faces])
    pieces = components(int(faces.max()) + 1, list(directed(faces.tolist())))
    assert pieces.max() + 1 == voxel_pieces(labels > 0, 2).max() + 1 == 1
