from collections import Counter
from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.mesh.pieces import planes_of_tile
from snakemesh.mesh.seam_curves import thin_curves
from snakemesh.mesh.snapping import LEAST_VERTICES, PER_VOXEL, grain_of, snap, snap_curves
from snakemesh.mesh.vertex_states import KEPT
from snakemesh.mesh.volume_ends import volume_ends
from surfaces import noise, tile_pieces, voronoi

CELL = (32, 20, 48)
# A tile of 2 x 1 x 2 cells, whose lower face along x is a seam. The volume ends inside its last
# cells along x and z.
N_CELLS = (2, 1, 2)
ENDS = volume_ends(((-32.0, 55.5), (0.0, 20.0), (0.0, 72.0)), CELL)
PLANES = planes_of_tile(N_CELLS, [(0, None), (None, None), (None, None)], True, ENDS.upper.tolist())
GRAIN = grain_of(CELL)
CELLS = [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 1)]


def points_in(cell, n, rng):
    """Different positions in a cell, half of them near or in planes and ends."""
    low = np.array(cell) * CELL_STEPS
    high = np.minimum(low + CELL_STEPS, ENDS.upper)
    anywhere = rng.integers(low, high + 1, (n, 3))
    planes = [[*cuts, 0, end] for cuts, end in zip(PLANES.positions, ENDS.upper, strict=True)]
    near = np.stack([rng.choice(places, n) for places in planes], axis=1)
    near += rng.integers(-99, 100, (n, 3)) * rng.integers(0, 2, (n, 3))
    near = np.clip(near, low, high)
    found = np.where(rng.integers(0, 2, (n, 3)), anywhere, near)
    crowd = found[: n // 4] + rng.integers(-9, 10, (n // 4, 3))
    return np.unique(np.clip([*found, *crowd], low, high), axis=0).astype(np.int32)


def nearest(at, axis, corner):
    """The twin: the nearest of all multiples between the same planes and ends; a tie goes up."""
    places = sorted({*PLANES.positions[axis].tolist(), 0, int(ENDS.upper[axis])})
    if at in places:
        return at
    low, high = next((a, b) for a, b in pairwise(places) if a < at < b)
    grain = int(GRAIN[axis])
    multiples = [m for m in range(corner, corner + CELL_STEPS + grain, grain) if low < m < high]
    return min(multiples, key=lambda m: (abs(m - at), -m), default=at)


def snapped(points, cell):
    """The positions of vertices of a fragment, each with a face of its own, after `snap`."""
    vertices = points.copy()
    faces = np.repeat(np.arange(len(points), dtype=np.int32), 3).reshape(-1, 3)
    boxes = np.full(len(faces), 8 * np.dot(cell, [1, N_CELLS[0], N_CELLS[0] * N_CELLS[1]]))
    owners = np.zeros(len(faces), np.int32)
    snap(vertices, faces, owners, boxes, N_CELLS, PLANES, ENDS, GRAIN)
    return vertices


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(CELLS), st.integers(0, 2**32 - 1))
def test_positions_become_the_nearest_multiples(cell, seed):
    """All but those in planes that cut, and but those that would share a place."""
    points = points_in(cell, 200, np.random.default_rng(seed))
    found = snapped(points, cell)
    in_plane = [
        any(at in cuts for at, cuts in zip(point, PLANES.positions, strict=True))
        for point in points.tolist()
    ]
    corner = np.array(cell) * CELL_STEPS
    wanted = [
        tuple(point if stays else (nearest(at, i, int(corner[i])) for i, at in enumerate(point)))
        for point, stays in zip(points.tolist(), in_plane, strict=True)
    ]
    count = Counter(wanted)
    for before, target, after in zip(points.tolist(), wanted, found.tolist(), strict=True):
        assert tuple(after) == (target if count[target] == 1 else tuple(before))
    assert len(np.unique(found, axis=0)) == len(points)
    assert max(count.values()) > 1 and any(in_plane) and (found != points).any()


def test_few_vertices_stay():
    points = points_in((0, 0, 0), 50, np.random.default_rng(0))
    assert len(points) < LEAST_VERTICES
    np.testing.assert_array_equal(snapped(points, (0, 0, 0)), points)


@pytest.mark.parametrize("cell", [16, 64, 256, 2048, 60_000])
def test_grains_are_a_16th_of_a_voxel_or_a_step(cell):
    exact = Fraction(CELL_STEPS, PER_VOXEL * cell)
    assert grain_of((cell,) * 3).tolist() == [max(floor(exact + Fraction(1, 2)), 1)] * 3


VOLUMES = {"voronoi": voronoi((24, 26, 48), 6, 1), "noise": noise((16, 18, 36), 3, 2)}


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("n_iter", [0, 2])
def test_both_sides_of_a_seam_round_alike(name, n_iter):
    """The seam lies between cells 1 and 2 along x. Each side sees its own tile alone."""
    labels = VOLUMES[name]
    z, y, x = labels.shape
    cell, seam = (12, y // 2, z // 2), 2 * CELL_STEPS
    sides = []
    for begin, end in (((0, 0, 0), (2, 2, 2)), ((2, 0, 0), (-(-x // 12), 2, 2))):
        pieces, _, planes = tile_pieces(labels, cell, begin, end, n_iter, True)
        states, _ = thin_curves(pieces, np.full(3, 12 / CELL_STEPS), 0.2, 4.0)
        before = pieces.vertices.copy()
        ends = volume_ends(
            [(-b * c, n - b * c) for b, c, n in zip(begin, cell, (x, y, z), strict=True)], cell
        )
        snap_curves(pieces, states, planes, ends, grain_of(cell))
        assert (before[states != KEPT] == pieces.vertices[states != KEPT]).all()
        moved = np.abs(before - pieces.vertices).max(axis=0)
        assert (moved > 0).all() and (moved <= grain_of(cell)).all()
        for axis, cuts in enumerate(planes.positions):
            was, now = np.isin(before[:, axis], cuts), np.isin(pieces.vertices[:, axis], cuts)
            np.testing.assert_array_equal(was, now)
        in_others = np.isin(before[:, 1], planes.positions[1])
        in_others |= np.isin(before[:, 2], planes.positions[2])
        own = pieces.vertices[(states == KEPT) & ~in_others] + np.multiply(begin, CELL_STEPS)
        sides.append(own[own[:, 0] == seam])
    assert len(sides[0]) > 20
    for side in sides:
        side[:] = side[np.lexsort(side.T)]
    np.testing.assert_array_equal(*sides)
