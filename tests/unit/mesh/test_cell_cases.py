from itertools import product

import numpy as np
import pytest

from manifold import voxel_pieces
from snakemesh.mesh.cell_cases import NO_ITEM, VOXEL_STEPS, cycles_of, make_cases
from snakemesh.mesh.smoothing import _N_QUADS

CASES = make_cases()
# by edge, its two ends z y x: edges along z, then y, then x, in the order of their places
EDGES = [
    tuple(np.insert(place, axis, end).tolist() for end in (0, 1))
    for axis in range(3)
    for place in product((0, 1), repeat=2)
]


def filled(case):
    """The 2 x 2 x 2 voxels of a case, z y x, bool."""
    return np.array([case >> voxel & 1 for voxel in range(8)], bool).reshape(2, 2, 2)


def crossed(case):
    """The edges with one end inside."""
    inside = filled(case)
    return {e for e, (low, high) in enumerate(EDGES) if inside[*low] != inside[*high]}


def face_edges(face):
    """The edges of a face of the cell: 2 axis + side."""
    axis, side = divmod(face, 2)
    return {e for e, ends in enumerate(EDGES) if all(end[axis] == side for end in ends)}


@pytest.mark.parametrize("case", range(256))
def test_every_crossed_edge_is_in_one_cycle(case):
    edges = [edge for cycle in cycles_of(case) for edge in cycle]
    assert len(edges) == len(set(edges)) and set(edges) == crossed(case)


@pytest.mark.parametrize("case", range(256))
def test_a_cycle_lies_between_one_piece_of_the_label_and_one_of_the_rest(case):
    # voxels of the label that share an edge are one piece, others only if they share a face
    inner, outer = voxel_pieces(filled(case), 2), voxel_pieces(~filled(case), 1)
    seen = {"inner": set(), "outer": set()}
    for cycle in cycles_of(case):
        for name, pieces in (("inner", inner), ("outer", outer)):
            at = {
                int(max(pieces[*low], pieces[*high])) for low, high in map(EDGES.__getitem__, cycle)
            }
            assert len(at) == 1
            seen[name] |= at
    if 0 < case < 255:
        assert seen["inner"] == set(range(inner.max() + 1))
        assert seen["outer"] == set(range(outer.max() + 1))


def test_a_neck_face_has_its_four_edges_in_one_cycle():
    n_cases = 0
    for case in range(256):
        cycles = [set(cycle) for cycle in cycles_of(case)]
        faces = [f for f in range(6) if any(face_edges(f) <= cycle for cycle in cycles)]
        assert CASES.neck_faces[case] == (faces[0] if faces else -1)
        assert len(faces) <= 1
        n_cases += len(faces)
        items = CASES.neck_items[case].tolist()
        if not faces:
            assert items == [NO_ITEM] * 4
            continue
        assert {item // 2 for item in items} == face_edges(faces[0])
        (row,) = [
            r
            for r in range(*CASES.cycle_starts[case : case + 2])
            if set(items) <= set(CASES.items[r, : CASES.n_items[r]].tolist())
        ]
        assert CASES.n_items[row] >= 6
        # an item names the end that is of the label; the other end is common to a pair
        ends = [EDGES[item // 2][1 - item % 2] for item in items]
        assert ends[0] == ends[1] != ends[2] == ends[3]
    assert n_cases == 36


def test_a_cycle_has_three_to_seven_edges():
    # `smoothing` has a weight for each
    assert set(CASES.n_items.tolist()) == {3, 4, 5, 6, 7} == set(_N_QUADS)


@pytest.mark.parametrize("case", range(256))
def test_a_vertex_is_the_mean_of_the_middles_of_its_edges(case):
    first, last = CASES.cycle_starts[case : case + 2]
    for cycle, row in zip(cycles_of(case), range(first, last), strict=True):
        middles = np.array([EDGES[edge] for edge in cycle]).mean(axis=1) - 0.5
        exact = middles.mean(axis=0)[::-1] * VOXEL_STEPS
        assert np.abs(CASES.offsets[row] - exact).max() < 0.5
        items = CASES.items[row, : CASES.n_items[row]]
        assert [item // 2 for item in items.tolist()] == cycle
        for item in items.tolist():
            assert filled(case)[*EDGES[item // 2][item % 2]]


def test_both_sides_of_an_interface_have_the_same_vertices():
    # of a case and its complement, unless a face has crossing diagonals
    for case in range(256):
        faces = [np.take(filled(case), side, axis).ravel() for axis in range(3) for side in (0, 1)]
        if not any(f[0] == f[3] != f[1] == f[2] for f in faces):
            own, other = (
                CASES.offsets[slice(*CASES.cycle_starts[c : c + 2])].tolist()
                for c in (case, 255 - case)
            )
            assert sorted(own) == sorted(other)
