"""Contacts are those that a search from face to face finds, and the same however tiles are cut."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.contact import AREA_STEPS, NO_CONTACTS
from snakemesh.halo import halo_voxels
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.contacts import contacts_of
from snakemesh.mesh.surface import extract_surfaces
from snakemesh.multires.contacts import whole_patches
from surfaces import voronoi
from touching import moment, patches

SWEEPS = 1
HALO = halo_voxels(SWEEPS)
VOXEL = (3.0, 4.0, 9.0)
SUMS = ("label", "other", "faces", "area", "moment")


def parts_of_tile(labels, begin, end, sweeps=SWEEPS, voxel=VOXEL, with_background=False):
    """CONTACT of the tile between two voxels of a volume, from what a job reads of it."""
    volume = np.array(labels.shape)
    begin, end = np.array(begin), np.minimum(end, volume)
    low, high = np.maximum(begin - HALO, 0), np.minimum(end + HALO, volume)
    seen = compact_labels(np.ascontiguousarray(labels[tuple(map(slice, low, high))]))
    origin, shape = tuple((begin - low).tolist()), tuple((end - begin).tolist())
    place = origin, tuple(begin.tolist()), shape, labels.shape
    contacts = contacts_of(seen, *place, voxel, with_background)
    ends = [(-b, n - b) for b, n in zip(begin.tolist(), labels.shape, strict=True)][::-1]
    for _ in extract_surfaces(seen, origin, sweeps, tuple(low.tolist()), ends, contacts):
        pass
    return contacts.rows()


def parts(labels, *cuts, **keys):
    """CONTACT of all tiles of a volume. cuts: z y x, the voxels at which tiles end."""
    axes = [pairwise([0, *cut, n]) for cut, n in zip(cuts, labels.shape, strict=True)]
    tiles = (zip(*box, strict=True) for box in product(*axes))
    rows = [parts_of_tile(labels, *tile, **keys) for tile in tiles]
    return np.concatenate([NO_CONTACTS, *rows])


def noise(seed, shape, thick, n):
    """Labels below n in cubes so thick, in a volume of the shape."""
    labels = np.random.default_rng(seed).integers(0, n, [-(-s // thick) for s in shape])
    for axis in range(3):
        labels = labels.repeat(thick, axis=axis)
    return labels[tuple(map(slice, shape))].astype(np.uint64) * np.uint64(2**61 + 7)


@given(
    seed=st.integers(0, 99),
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    thick=st.sampled_from([1, 2, 5]),
    n=st.integers(2, 6),
    cuts=st.tuples(*[st.sampled_from([(), (5,), (4, 8)])] * 3),
    with_background=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_patches_are_those_of_a_search(seed, shape, thick, n, cuts, with_background):
    labels = noise(seed, shape, thick, n)
    cuts = [[at for at in cut if at < s] for cut, s in zip(cuts, shape, strict=True)]
    found = whole_patches(parts(labels, *cuts, with_background=with_background))
    expected = sorted(
        (*pair, len(patch), moment(patch))
        for pair, of_pair in patches(labels, with_background).items()
        for patch in of_pair
    )
    rows = found[["label", "other", "faces", "moment"]].tolist()
    assert sorted((*row, moment.tolist()) for *row, moment in rows) == expected


@pytest.mark.parametrize("with_background", [False, True])
def test_128_voxels_a_side(with_background):
    labels = voronoi((128, 128, 128), 60, 3)
    labels[40:44] = 0
    found = whole_patches(parts(labels, (64,), (96,), (32, 64), with_background=with_background))
    expected = patches(labels, with_background)
    pairs, counts = np.unique(found[["label", "other"]], return_counts=True)
    assert dict(zip(pairs.tolist(), counts.tolist(), strict=True)) == {
        pair: len(of_pair) for pair, of_pair in expected.items()
    }
    assert found["faces"].sum() == sum(len(p) for of_pair in expected.values() for p in of_pair)


@given(seed=st.integers(0, 99), sweeps=st.sampled_from([0, 1]), with_background=st.booleans())
@settings(deadline=None, max_examples=8)
def test_areas_are_the_same_however_tiles_are_cut(seed, sweeps, with_background):
    labels = voronoi((40, 37, 29), 12, seed)
    keys = {"sweeps": sweeps, "with_background": with_background}
    whole = whole_patches(parts(labels, (), (), (), **keys))
    assert len(whole) > 10
    for cuts in (((16,), (), ()), ((8, 16, 24, 32), (32,), (16,)), ((), (5, 6), (28,))):
        tiled = whole_patches(parts(labels, *cuts, **keys))
        assert np.array_equal(tiled[list(SUMS)], whole[list(SUMS)])


def area(labels, pair, **keys):
    """The area of contact of two labels, in (volume of a voxel)^(2/3)."""
    found = whole_patches(parts(labels, (), (), (), **keys))
    ours = (found["label"] == pair[0]) & (found["other"] == pair[1])
    return found["area"][ours].sum() / AREA_STEPS


@pytest.mark.parametrize("axis", range(3))
def test_a_flat_wall(axis):
    """Edges are rounded, also where the wall meets the end of the volume."""
    labels = np.ones((24, 24, 24), np.uint64)
    labels[(slice(None),) * axis + (slice(11, None),)] = 2
    side = VOXEL[::-1][axis] / np.prod(VOXEL) ** (1 / 3)
    assert area(labels, (1, 2)) == pytest.approx(24**2 / side, rel=0.015)


def walls(points, n, step=1 / 4):
    """By pair of points, the area of the wall between their Voronoi cells in a box of side n.

    Each plane in the middle of two points is sampled: a place belongs to the wall if no other point
    is nearer.
    """
    found = {}
    u = np.arange(-2 * n, 2 * n, step) + step / 2
    for i, j in combinations(range(len(points)), 2):
        normal = points[j] - points[i]
        _, _, (_, *across) = np.linalg.svd(normal[None])
        plane = u[:, None, None] * across[0] + u[:, None] * across[1] + (points[i] + points[j]) / 2
        plane = plane[((plane >= 0) & (plane <= n)).all(axis=-1)]
        others = np.delete(points, [i, j], axis=0)
        near = np.square(plane - points[i]).sum(axis=-1)
        is_wall = np.ones(len(plane), bool)
        for other in others:
            is_wall &= np.square(plane - other).sum(axis=-1) > near
        found[i + 1, j + 1] = is_wall.sum() * step**2
    return found


@pytest.mark.parametrize("sweeps", [1, 5, 10])
def test_the_walls_of_a_voronoi_volume(sweeps):
    """Within 2 %. Their voxel faces have half as much again."""
    n = 96
    points = np.random.default_rng(4).uniform(8, n - 8, (6, 3))
    places = np.stack(np.indices((n, n, n)), axis=-1) + 0.5
    labels = 1 + np.array([np.square(places - p).sum(axis=-1) for p in points]).argmin(axis=0)
    found = whole_patches(
        parts(labels.astype(np.uint64), (), (), (), sweeps=sweeps, voxel=(1, 1, 1))
    )
    measured = {pair: 0.0 for pair in combinations(range(1, 7), 2)}
    for row in found:
        measured[int(row["label"]), int(row["other"])] += row["area"] / AREA_STEPS
    known = walls(points, n)
    assert sum(measured.values()) == pytest.approx(sum(known.values()), rel=0.02)
    for pair, area in known.items():
        assert measured[pair] == pytest.approx(area, rel=0.03, abs=20), pair
    assert found["faces"].sum() > 1.4 * sum(known.values())


def test_a_part_that_is_missing_is_noticed():
    """Nothing that was found without a tile is taken for the whole."""
    labels = voronoi((24, 24, 24), 6, 1)
    only = parts_of_tile(labels, (0, 0, 0), (12, 24, 24))
    with pytest.raises(ValueError, match="missing"):
        whole_patches(only[only["faces"] == 0])
