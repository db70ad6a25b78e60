import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.octree import MAX_CELL, demorton, kept_lods, manifest_nodes, morton
from snakemesh.job_records import OctreeGrid

coordinates = st.integers(0, MAX_CELL)
cells = st.tuples(coordinates, coordinates, coordinates)


def interleaved(cell):
    return sum(
        ((cell[axis] >> bit) & 1) << (3 * bit + axis) for bit in range(21) for axis in (0, 1, 2)
    )


def z_less(a, b):
    """Whether a < b in Z-order, as Neuroglancer's `zorder3LessThan` says.

    The axis on which the coordinates differ in the highest bit decides; z is before y before x.
    """
    x, y, z = (p ^ q for p, q in zip(a, b, strict=True))
    axis = max((x.bit_length(), 0), (y.bit_length(), 1), (z.bit_length(), 2))[1]
    return a[axis] < b[axis]


@given(st.lists(cells, max_size=20))
def test_morton_interleaves_bits_with_x_least_significant(points):
    keys = morton(np.array(points, np.uint32).reshape(-1, 3))
    assert keys.tolist() == [interleaved(p) for p in points]
    assert demorton(keys).tolist() == [list(p) for p in points]


@given(cells, cells)
def test_morton_orders_as_the_viewer(a, b):
    first, second = morton(np.array([a, b]))
    assert (first < second) == z_less(a, b)


def test_morton_of_a_cell_too_far():
    with pytest.raises(ValueError, match="2097152"):
        morton(np.array([[0, MAX_CELL + 1, 0]]))


LARGE = [10**6] * 4


@pytest.mark.parametrize(
    ("faces", "sizes", "kept"),
    [
        # few faces, or more than the LOD below has
        ([1000, 200, 60, 49], LARGE, 3),
        ([1000, 200, 60, 50], LARGE, 4),
        ([1000, 49, 60, 55], LARGE, 4),
        ([1000, 40, 0, 0], LARGE, 1),
        ([10, 0, 0, 0], LARGE, 1),
        ([100, 101, 0, 0], LARGE, 1),
        ([100, 100, 101, 60], LARGE, 4),
        ([100, 100, 60, 61], LARGE, 3),
        ([100, 0, 60, 0], LARGE, 1),
        # the next finer LOD is small
        ([9000, 3000, 900, 300], [16_000, 5000, 1000, 500], 4),
        ([9000, 3000, 900, 300], [16_000, 5000, 999, 500], 3),
        ([9000, 3000, 900, 300], [16_000, 999, 5000, 5000], 2),
        ([9000, 3000, 900, 300], [999, 5000, 5000, 5000], 1),
        # both: LOD 2 is the last for its size, and then has too few faces
        ([9000, 3000, 49, 300], [16_000, 5000, 100, 500], 2),
    ],
)
def test_kept_lods(faces, sizes, kept):
    assert kept_lods(np.array([faces]), np.array([sizes])).tolist() == [kept]


rows_of_lods = st.lists(
    st.lists(st.tuples(st.integers(0, 120), st.integers(500, 2000)), min_size=4, max_size=4),
    max_size=5,
)


@given(rows_of_lods)
def test_kept_lods_one_by_one(rows):
    expected = []
    for row in rows:
        kept = [row[0]]
        for faces, size in row[1:]:
            if kept[-1][1] < 1000:
                break
            kept.append((faces, size))
        while len(kept) > 1 and (kept[-1][0] < 50 or kept[-1][0] > kept[-2][0]):
            kept.pop()
        expected.append(len(kept))
    numbers = np.array(rows, int).reshape(-1, 4, 2)
    assert kept_lods(numbers[..., 0], numbers[..., 1]).tolist() == expected


def brute_force(fragments, kept):
    """The nodes of one label: a dict from (lod, cell) to the index of the fragment, or -1.

    fragments: tuples (lod, cell, octants).
    """
    nodes = {}
    for i, (lod, cell, _) in enumerate(fragments):
        if lod < kept:
            nodes[lod, cell] = i
    for lod, cell in list(nodes):
        for up in range(1, kept - lod):
            nodes.setdefault((lod + up, tuple(c >> up for c in cell)), -1)
    for lod, cell, octants in fragments:
        for i in range(8):
            if 0 < lod < kept and octants >> i & 1:
                child = tuple(2 * c + (i >> axis & 1) for axis, c in enumerate(cell))
                nodes.setdefault((lod - 1, child), -1)
    return nodes


def nodes_of(labels, kept):
    """What manifest_nodes finds for many labels, as one dict like brute_force's for each label."""
    rows = [(label, *f) for label, fragments in enumerate(labels) for f in fragments]
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    rows = [rows[i] for i in order]
    first = np.cumsum([0, *(len(fragments) for fragments in labels)])
    number = [int(i - first[row[0]]) for i, row in zip(order, rows, strict=True)]
    nodes = manifest_nodes(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[1] for r in rows], np.uint8),
        morton(np.array([r[2] for r in rows], np.uint32).reshape(-1, 3)),
        np.array([r[3] for r in rows], np.uint8),
        np.array(kept, np.int64),
    )
    order = list(zip(nodes.label.tolist(), nodes.lod.tolist(), nodes.key.tolist(), strict=True))
    assert order == sorted(set(order))
    found = [{} for _ in labels]
    for label, lod, cell, fragment in zip(
        nodes.label, nodes.lod, demorton(nodes.key).tolist(), nodes.fragment, strict=True
    ):
        found[label][int(lod), tuple(cell)] = number[fragment] if fragment >= 0 else -1
    return found


small = st.integers(0, 5)
fragment_sets = st.dictionaries(
    st.tuples(st.integers(0, 3), st.tuples(small, small, small)), st.integers(0, 255), max_size=12
).map(lambda found: [(lod, cell, octants) for (lod, cell), octants in found.items()])


@settings(max_examples=300)
@given(st.lists(st.tuples(fragment_sets, st.integers(1, 4)), max_size=4))
def test_nodes_against_brute_force(labels):
    fragments, kept = [f for f, _ in labels], [k for _, k in labels]
    assert nodes_of(fragments, kept) == [brute_force(f, k) for f, k in labels]


@settings(max_examples=100)
@given(fragment_sets, st.integers(1, 4))
def test_every_node_is_reached_and_every_octant_covered(fragments, kept):
    (nodes,) = nodes_of([fragments], [kept])
    for lod, cell in nodes:
        assert lod == kept - 1 or (lod + 1, tuple(c >> 1 for c in cell)) in nodes
    for i, (lod, cell, octants) in enumerate(fragments):
        assert lod >= kept or nodes[lod, cell] == i
        for child in range(8 * (0 < lod < kept)):
            position = tuple(2 * c + (child >> axis & 1) for axis, c in enumerate(cell))
            assert not octants >> child & 1 or (lod - 1, position) in nodes


def test_a_leaf_whose_parent_has_no_geometry():
    fragments = [(0, (5, 2, 0), 1), (0, (0, 0, 0), 1), (2, (0, 0, 0), 1)]
    (nodes,) = nodes_of([fragments], [3])
    assert nodes == {
        (0, (5, 2, 0)): 0,
        (0, (0, 0, 0)): 1,
        (1, (2, 1, 0)): -1,
        (1, (0, 0, 0)): -1,
        (2, (1, 0, 0)): -1,
        (2, (0, 0, 0)): 2,
    }


def test_a_coarse_octant_with_nothing_below():
    fragments = [(0, (0, 0, 0), 255), (1, (0, 0, 0), 0b1000_0001)]
    (nodes,) = nodes_of([fragments], [2])
    assert nodes == {(0, (0, 0, 0)): 0, (0, (1, 1, 1)): -1, (1, (0, 0, 0)): 1}


def test_an_empty_child_above_the_base_needs_no_children():
    fragments = [(0, (0, 0, 0), 1), (2, (0, 0, 0), 0b11)]
    (nodes,) = nodes_of([fragments], [3])
    assert nodes == {
        (0, (0, 0, 0)): 0,
        (1, (0, 0, 0)): -1,
        (1, (1, 0, 0)): -1,
        (2, (0, 0, 0)): 1,
    }


def test_dropped_lods_leave_no_nodes():
    fragments = [(0, (7, 7, 7), 1), (1, (3, 3, 3), 128), (2, (0, 0, 0), 255)]
    assert nodes_of([fragments, fragments], [1, 2]) == [
        {(0, (7, 7, 7)): 0},
        {(0, (7, 7, 7)): 0, (1, (3, 3, 3)): 1},
    ]


def test_scales_must_grow():
    assert OctreeGrid((0, 0, 0), (1, 1, 1), (1, 2, 4)).num_lods == 3
    for scales in ((1, 1), (1, 2, 2), (), (0, 1)):
        with pytest.raises(ValueError, match="sizes of voxels"):
            OctreeGrid((0, 0, 0), (1, 1, 1), scales)
