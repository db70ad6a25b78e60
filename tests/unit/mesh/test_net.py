from collections import Counter
from itertools import product

import numpy as np
import pytest

from manifold import assert_manifold, components, voxel_pieces
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.necks import neck_vertices
from snakemesh.mesh.net import label_nets
from surfaces import noise, voronoi, with_necks


def net_of(nets, label):
    """The vertices (N, 3) and quads (M, 4) of a label, numbered from 0."""
    (i,) = np.flatnonzero(nets.labels == label)
    vertices = nets.vertices[slice(*nets.vertex_starts[i : i + 2])]
    quads = nets.quads[slice(*nets.quad_starts[i : i + 2])] - nets.vertex_starts[i]
    assert quads.min() == 0 and quads.max() == len(vertices) - 1
    assert len(np.unique(quads)) == len(vertices)
    return vertices, quads


def polygons_of(nets, label):
    """The quads of a label, numbered from 0, with the vertices of necks on their sides."""
    vertices, quads = net_of(nets, label)
    (i,) = np.flatnonzero(nets.labels == label)
    first, last = nets.quad_starts[i : i + 2]
    mine = (nets.necks[:, 0] >= first) & (nets.necks[:, 0] < last)
    _, at_necks, on_sides = neck_vertices(vertices, quads, nets.necks[mine] - first)
    polygons = quads.tolist()
    for row, polygon in zip(
        at_necks, with_necks(quads[at_necks], on_sides, len(vertices)), strict=True
    ):
        polygons[row] = polygon
    return polygons


def assert_sound(labels):
    """Assert all that holds for the nets of any volume.

    They are manifolds. Their quads are the faces of voxels between a label and another. A piece of
    a surface lies between one piece of voxels of the label, which share faces or edges, and one
    piece of the rest, whose voxels share faces. Every piece of the label has one.
    """
    nets = label_nets(compact_labels(labels))
    assert nets.labels.tolist() == [label for label in np.unique(labels).tolist() if label]
    for label in nets.labels.tolist():
        vertices, quads = net_of(nets, label)
        assert_manifold(polygons_of(nets, label))
        inside = np.pad(labels == label, 1)
        assert len(quads) == sum(np.diff(inside, axis=axis).sum() for axis in range(3))

        # the face of a voxel lies in the middle of the four cells of its quad
        cells = np.floor(vertices / VOXEL_STEPS + 0.5).astype(int)
        middles = cells[quads].sum(axis=1)
        assert len(np.unique(middles, axis=0)) == len(quads)
        spread = np.ptp(cells[quads], axis=1)
        assert (np.sort(spread, axis=1) == [0, 1, 1]).all()
        up = np.cross(
            cells[quads[:, 1]] - cells[quads[:, 0]], cells[quads[:, 2]] - cells[quads[:, 1]]
        )
        # the voxel inside is half a voxel against the outward normal, in the padded array
        voxels = (middles - 2 * up) // 4 + 1
        beyond = voxels + up
        assert inside[tuple(voxels.T[::-1])].all() and not inside[tuple(beyond.T[::-1])].any()

        inner, outer = voxel_pieces(inside, 2), voxel_pieces(~inside, 1)
        edges = [(a, b) for quad in quads.tolist() for a, b in zip(quad, quad[1:], strict=False)]
        surface = components(len(vertices), edges)
        between = {
            (int(surface[quad[0]]), int(inner[tuple(voxel[::-1])]), int(outer[tuple(other[::-1])]))
            for quad, voxel, other in zip(quads, voxels, beyond, strict=True)
        }
        # n closed surfaces that do not touch divide space into n + 1 parts
        assert len(between) == surface.max() + 1 == inner.max() + outer.max() + 1
        assert {piece for _, piece, _ in between} == set(range(inner.max() + 1))


def test_every_cell():
    for case in range(1, 256):
        labels = np.array([case >> voxel & 1 for voxel in range(8)], np.uint8).reshape(2, 2, 2)
        assert_sound(labels)
        assert_sound(np.pad(1 + labels, 1, constant_values=1))


def test_every_pair_of_cells():
    for filling in range(1, 1 << 12):
        labels = np.array([filling >> voxel & 1 for voxel in range(12)], np.uint8)
        assert_sound(labels.reshape(3, 2, 2))


def test_every_pair_of_cells_with_an_ambiguous_face_between_them():
    nodes = list(product((0, 1), repeat=4))
    for low, high in product(nodes, nodes):
        labels = np.array([*low, 1, 0, 0, 1, *high], np.uint8).reshape(3, 2, 2)
        for axis in (1, 2):
            turned = np.ascontiguousarray(np.moveaxis(labels, 0, axis))
            assert_sound(turned)
            # a hollow in a larger body
            assert_sound(np.pad(1 - turned, 1, constant_values=1))


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("n_labels", [1, 2, 3])
def test_noise(size, n_labels):
    for seed in range(20):
        labels = noise((size, size, size), n_labels, seed)
        assert_sound(labels)
        # rare voxels, and rare holes
        rare = np.random.default_rng(seed).random(labels.shape) < 0.3
        assert_sound(np.where(rare, labels, 0) + (labels.max() + 1) * ~rare * np.uint32(seed % 2))


def test_voxels_that_share_an_edge_are_joined_and_those_that_share_a_corner_are_apart():
    for other, n_vertices in (((2, 2, 1), 14), ((2, 2, 2), 16)):
        labels = np.zeros((4, 4, 4), np.uint8)
        labels[1, 1, 1] = labels[other] = 1
        vertices, quads = net_of(label_nets(compact_labels(labels)), 1)
        assert (len(vertices), len(quads)) == (n_vertices, 12)


def test_two_labels_that_cross_are_both_joined():
    labels = np.kron([[1, 2], [2, 1]], np.ones((2, 2), np.uint8))[None].repeat(3, axis=0)
    assert_sound(labels)
    nets = label_nets(compact_labels(labels))
    for label in (1, 2):
        quads = net_of(nets, label)[1].tolist()
        edges = [(a, b) for quad in quads for a, b in zip(quad, quad[1:], strict=False)]
        assert components(len(net_of(nets, label)[0]), edges).max() == 0


def test_a_voxel_has_the_net_of_a_cube():
    labels = np.zeros((6, 5, 4), np.uint64)
    labels[4, 2, 1] = 2**63
    vertices, quads = net_of(label_nets(compact_labels(labels)), 2**63)
    assert len(quads) == 6
    # the mean of three middles of edges, a third of a voxel from the corner
    third = round(VOXEL_STEPS / 3)
    corners = np.array(list(product((0, 1), repeat=3)))[:, ::-1]
    expected = (corners + [1, 2, 4]) * VOXEL_STEPS + np.where(corners, -third, third)
    np.testing.assert_array_equal(vertices, expected)


def middle_of(cell):
    """The mean of the middles of the edges between different voxels of a 2 x 2 x 2 cell, z y x."""
    middles = [
        np.add(place, np.eye(3)[axis] / 2)
        for axis in range(3)
        for place in np.argwhere(np.diff(cell, axis=axis))
    ]
    return np.mean(middles, axis=0)


@pytest.mark.parametrize("labels_of", [voronoi, noise])
def test_labels_with_one_vertex_in_a_cell_share_the_mean_of_all_edges(labels_of):
    labels = labels_of((10, 11, 12), 9, seed=2)
    nets = label_nets(compact_labels(labels))
    padded = np.pad(labels.astype(int), 1)
    shared = 0
    for label in nets.labels.tolist():
        cells, found = {}, net_of(nets, label)[0].tolist()
        for vertex in found:
            corner = tuple(int(x // VOXEL_STEPS) for x in np.add(vertex, VOXEL_STEPS // 2))
            cells.setdefault(corner, []).append(vertex)
        assert len({tuple(vertex) for vertex in found}) == len(found)
        for (x, y, z), vertices in cells.items():
            cell = padded[z : z + 2, y : y + 2, x : x + 2]
            if len(vertices) == 1:
                at = (middle_of(cell) + [z - 0.5, y - 0.5, x - 0.5])[::-1] * VOXEL_STEPS
                assert np.abs(at - vertices[0]).max() <= 0.5
                shared += len(np.unique(cell)) > 2
    assert shared > 500


def test_labels_that_share_an_interface_share_its_vertices():
    labels = voronoi((20, 20, 20), 4, seed=1) + 1
    nets = label_nets(compact_labels(labels))
    places = {label: {tuple(v) for v in net_of(nets, label)[0].tolist()} for label in nets.labels}
    inner = [
        [v for v in found if all(0.5 < x / VOXEL_STEPS < 19.5 for x in v)]
        for found in places.values()
    ]
    count = Counter(vertex for vertices in inner for vertex in vertices)
    # all but those of a label with several vertices in a cell
    alone = sum(n == 1 for n in count.values())
    assert len(count) > 1000 and alone < 0.01 * len(count)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 30), (30, 1, 1), (2, 9, 8)])
def test_small_and_flat_arrays(shape):
    assert_sound(np.full(shape, 5, np.uint16))
    assert_sound(noise(shape, 2, seed=1) + 1)


def test_a_layer_that_is_too_large():
    # zeros take no memory
    with pytest.raises(ValueError, match="a layer of 400000000 voxels"):
        label_nets(compact_labels(np.zeros((1, 20_000, 20_000), np.uint8)))
