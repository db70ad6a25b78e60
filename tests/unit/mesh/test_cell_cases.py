from itertools import product

import numpy as np
import pytest

from manifold import voxel_pieces
from snakemesh.mesh.cell_cases import VOXEL_STEPS, cycles_of, make_cases
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


@pytest.mark.parametrize("case", range(256))
def test_every_crossed_edge_is_in_one_cycle(case):
    turns = [None] if CASES.risky[case] < 0 else [None, CASES.risky[case]]
    for turned in turns:
        edges = [edge for cycle in cycles_of(case, turned) for edge in cycle]
        assert len(edges) == len(set(edges)) and set(edges) == crossed(case)


@pytest.mark.parametrize("case", range(256))
def test_a_cycle_has_one_piece_of_the_label(case):
    # pieces of voxels that share faces; several cycles can have the same one
    pieces = voxel_pieces(filled(case), 1)
    inner = [
        {int(max(pieces[*low], pieces[*high])) for low, high in map(EDGES.__getitem__, cycle)}
        for cycle in cycles_of(case, None)
    ]
    assert all(len(piece) == 1 for piece in inner)
    if 0 < case < 255:
        assert set().union(*inner) == set(range(pieces.max() + 1))


def test_turning_a_risky_face_splits_its_cycle():
    risky = np.flatnonzero(CASES.risky >= 0).tolist()
    assert len(risky) == 36
    for case in risky:
        axis, side = divmod(int(CASES.risky[case]), 2)
        face = {e for e, ends in enumerate(EDGES) if all(end[axis] == side for end in ends)}
        assert len(face & crossed(case)) == 4
        cycles = cycles_of(case, None)
        (whole,) = [cycle for cycle in cycles if face <= set(cycle)]
        parts = cycles_of(case, int(CASES.risky[case]))
        assert len(parts) == len(cycles) + 1
        assert sorted(len(face & set(part)) for part in parts if face & set(part)) == [2, 2]
        assert len(whole) == sum(len(part) for part in parts if face & set(part))
        row = CASES.turned[case]
        assert CASES.cycle_starts[row + 1] - CASES.cycle_starts[row] == len(parts)


def test_a_cycle_has_three_to_seven_edges():
    # `smoothing` has a weight for each
    assert set(CASES.n_items.tolist()) == {3, 4, 5, 6, 7} == set(_N_QUADS)


@pytest.mark.parametrize("case", range(256))
def test_a_vertex_is_the_mean_of_the_middles_of_its_edges(case):
    first, last = CASES.cycle_starts[case : case + 2]
    for cycle, row in zip(cycles_of(case, None), range(first, last), strict=True):
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
