"""Which vertex clusters may become one vertex, against their surface, counted by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.mesh.vertex_clusters import is_simple

ALL = (1 << 27) - 1


def bits_of(voxels):
    """The bits of 3 x 3 x 3 voxels, z y x."""
    return sum(int(v) << i for i, v in enumerate(np.ravel(voxels)))


def voxels_of(bits):
    return np.array([bits >> i & 1 for i in range(27)], bool).reshape(3, 3, 3)


def is_mixed(voxels):
    return 0 < voxels.sum() < voxels.size


def surface_in(voxels):
    """Vertices, edges and quads of the net in a cube, and the number of its parts."""
    corners = [tuple(c) for c in product((0, 1), repeat=3)]
    vertices = [c for c in corners if is_mixed(voxels[tuple(slice(i, i + 2) for i in c)])]
    part = {v: v for v in vertices}

    def root(v):
        return v if part[v] == v else root(part[v])

    n_edges = 0
    for axis in range(3):
        for c in corners:
            if c[axis] == 0:
                # the face between this cell and the next
                box = [slice(i, i + 2) for i in c]
                box[axis] = 1
                if is_mixed(voxels[tuple(box)]):
                    n_edges += 1
                    other = tuple(1 if i == axis else k for i, k in enumerate(c))
                    part[root(c)] = root(other)
    centre = voxels[1, 1, 1]
    around = [voxels[z, y, x] for z, y, x in product(range(3), repeat=3) if z + y + x in (2, 4)]
    beside = [
        voxels[0, 1, 1],
        voxels[2, 1, 1],
        voxels[1, 0, 1],
        voxels[1, 2, 1],
        voxels[1, 1, 0],
        voxels[1, 1, 2],
    ]
    assert len(around) == 12
    n_quads = sum(bool(b != centre) for b in beside)
    return len(vertices), n_edges, n_quads, len({root(v) for v in vertices})


def crossings(face):
    """How often the border of a face of 3 x 3 voxels goes from one side to the other."""
    ring = [face[i] for i in ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))]
    return sum(bool(ring[i - 1] != ring[i]) for i in range(8))


def assert_disk(bits):
    """Assert that the surface is a disk and meets each face of its cube in one curve at most."""
    voxels = voxels_of(bits)
    n_vertices, n_edges, n_quads, n_parts = surface_in(voxels)
    if n_vertices:
        assert n_parts == 1 and n_vertices - n_edges + n_quads == 1
    for axis, side in product(range(3), (0, 2)):
        face = np.take(voxels, side, axis)
        assert crossings(face) in (0, 2)
        assert crossings(face) == 2 or not is_mixed(face)


def half_spaces(rng, n):
    for _ in range(n):
        normal = rng.normal(size=3)
        places = np.argwhere(np.ones((3, 3, 3))) - 1
        yield bits_of(places @ normal > rng.uniform(-1.5, 1.5))


def test_what_is_flat_is_simple():
    rng = np.random.default_rng(0)
    assert all(is_simple(bits) for bits in half_spaces(rng, 500))


def test_the_surface_in_a_simple_cluster_is_a_disk():
    rng = np.random.default_rng(1)
    n_simple = 0
    for bits in half_spaces(rng, 3000):
        # a flat surface with a voxel or two that differ
        for flip in (0, 1 << int(rng.integers(27)), 1 << int(rng.integers(27))):
            bits ^= flip
            if is_simple(bits):
                assert_disk(bits)
                n_simple += 0 < bits < ALL
    assert n_simple > 3000


@given(st.integers(0, ALL))
def test_any_voxels(bits):
    assert is_simple(bits) == is_simple(ALL ^ bits)
    if is_simple(bits):
        assert_disk(bits)


@given(st.integers(0, ALL), st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_simple_is_simple_from_all_sides(bits, order, flips):
    voxels = np.transpose(voxels_of(bits), order)
    axes = tuple(i for i in range(3) if flips[i])
    assert is_simple(bits_of(np.flip(voxels, axes))) == is_simple(bits)


@pytest.mark.parametrize(
    "inside",
    [
        [(1, 1, 1)],  # the centre alone
        [(1, 0, 0)],  # the middle of an edge
        [(1, 1, 0)],  # the middle of a face
        [(0, 0, 0), (0, 2, 2)],  # two corners across a face
        [(0, 0, 0), (2, 2, 2)],  # two corners across the cube
        [(0, 0, 0), (0, 1, 1)],  # the same in a cell
        [(0, 0, 0), (1, 1, 1)],
        [(0, 0, 0), (0, 0, 2)],  # two ends of an edge: two sheets
    ],
)
def test_what_is_not_simple(inside):
    voxels = np.zeros((3, 3, 3), bool)
    for place in inside:
        voxels[place] = True
    assert not is_simple(bits_of(voxels)) and not is_simple(bits_of(~voxels))
