from fractions import Fraction
from itertools import pairwise, product
from math import ceil, floor

import numpy as np
import pytest

from snakemesh.fragments.container import FRAGMENT
from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.halo import halo_voxels
from snakemesh.mesh import simplified
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.tile import Tile, mesh_tile
from surfaces import assert_sound, ball, canonical, decoded, noise, open_edges, solid, voronoi

VOXEL_NM = (40.0, 32.0, 32.0)  # z y x
FAR = 99.0  # voxels: no surface moves as far


def one_tile(labels, cell, begin, end, seams, lod=0, n_iter=0, keep=1.0, max_error=FAR, ends=None):
    """Records and Draco bytes of the tile from cell `begin` to cell `end`.

    All arguments are z y x. cell: voxels in a cell. seams: as in `Tile`. ends: where the volume
    ends, None for where its voxels do.
    """
    low = np.maximum(np.multiply(begin, cell) - halo_voxels(n_iter), 0)
    high = np.minimum(np.multiply(end, cell) + halo_voxels(n_iter), labels.shape)
    where = Tile(
        lod=lod,
        first_cell=tuple(begin[::-1]),
        n_cells=tuple(e - b for b, e in zip(begin[::-1], end[::-1], strict=True)),
        cell_voxels=tuple(cell[::-1]),
        cell_nm=tuple(c * v for c, v in zip(cell[::-1], VOXEL_NM[::-1], strict=True)),
        seams=tuple(seams[::-1]),
        ends=tuple(
            (-b * c, n - b * c) for b, c, n in zip(begin, cell, ends or labels.shape, strict=True)
        )[::-1],
    )
    seen = np.ascontiguousarray(labels[tuple(map(slice, low, high))])
    origin = tuple((np.multiply(begin, cell) - low).tolist())
    records, blobs, _ = mesh_tile(compact_labels(seen), origin, where, n_iter, keep, max_error)
    assert (records["cell"] >= where.first_cell).all()
    assert (records["cell"] < np.add(where.first_cell, where.n_cells)).all()
    return records, blobs


def all_tiles(labels, cell, parts, **options):
    """Records and Draco bytes of a volume that is meshed in tiles.

    parts: z y x, on each axis the cells where tiles begin.
    """
    n_cells = [-(-n // c) for n, c in zip(labels.shape, cell, strict=True)]
    spans = [list(pairwise([*part, n])) for part, n in zip(parts, n_cells, strict=True)]
    records, blobs = [], []
    for box in product(*spans):
        begin, end = zip(*box, strict=True)
        seams = [
            (0 if b > 0 else None, (e - b) * c if e < n else None)
            for b, e, n, c in zip(begin, end, n_cells, cell, strict=True)
        ]
        tile_records, tile_blobs = one_tile(labels, cell, begin, end, seams, **options)
        records.append(tile_records)
        blobs += tile_blobs
    return np.concatenate(records), blobs


# -- whole volumes ------------------------------------------------------------------------------

# Where tiles begin in a volume of 4 x 5 x 3 cells. The volumes end inside their last cells.
PARTITIONS = {
    "one tile": ((0,), (0,), (0,)),
    "halves": ((0, 2), (0, 2), (0, 2)),
    "every cell": ((0, 1, 2, 3), (0, 1, 2, 3, 4), (0, 1, 2)),
    "uneven": ((0, 1), (0, 3, 4), (0, 2)),
}
DENSE, DENSE_CELL = voronoi((76, 90, 94), 40, 7, VOXEL_NM), (20, 20, 32)
NOISE, NOISE_CELL = noise((22, 27, 25), 3, 1), (6, 6, 9)


@pytest.mark.parametrize("parts", PARTITIONS.values(), ids=PARTITIONS)
@pytest.mark.parametrize(("lod", "n_iter", "keep"), [(0, 5, 1 / 15), (2, 1, 1 / 6)])
def test_any_tiles_give_closed_surfaces_that_hold_their_voxels(parts, lod, n_iter, keep):
    records, blobs = all_tiles(
        DENSE, DENSE_CELL, parts, lod=lod, n_iter=n_iter, keep=keep, max_error=0.75
    )
    assert_sound(records, blobs, lod)
    found = decoded(records, blobs)
    ids, counts = np.unique(DENSE[DENSE > 0], return_counts=True)
    assert sorted(found) == ids.tolist()
    ratios, off = [], []
    for label, count in zip(ids.tolist(), counts.tolist(), strict=True):
        assert len(open_edges(found[label])) == 0
        surface = solid(found[label], np.array(DENSE_CELL[::-1]) / CELL_STEPS)
        ratios.append(surface.volume / count)
        centre = np.argwhere(label == DENSE).mean(axis=0)[::-1] + 0.5
        off.append(np.abs(surface.center_mass - centre).max())
        volume_nm = records["volume"][records["label"] == label].sum()
        assert volume_nm == pytest.approx(surface.volume * np.prod(VOXEL_NM), rel=1e-4)
    assert np.median(ratios) == pytest.approx(1, abs=0.015) and min(ratios) > 0.98
    assert np.median(off) < 0.05 and max(off) < 0.4


@pytest.mark.parametrize("parts", PARTITIONS.values(), ids=PARTITIONS)
@pytest.mark.parametrize(("lod", "n_iter", "keep"), [(0, 0, 0.2), (1, 2, 0.1)])
def test_any_tiles_of_noise_give_closed_surfaces(parts, lod, n_iter, keep):
    records, blobs = all_tiles(NOISE, NOISE_CELL, parts, lod=lod, n_iter=n_iter, keep=keep)
    assert_sound(records, blobs, lod)
    for triangles in decoded(records, blobs).values():
        assert len(open_edges(triangles)) == 0


@pytest.mark.parametrize(("labels", "n_iter"), [(NOISE, 0), (NOISE, 2), (DENSE[:24, :30, :27], 2)])
def test_dense_surfaces_of_cells_are_those_of_the_whole_volume(labels, n_iter, monkeypatch):
    # each cell has its own volume
    monkeypatch.setattr(simplified, "restore_volume", lambda *_: None)
    monkeypatch.setattr(simplified, "replace_collapsed", lambda *mesh: mesh[:4])
    cells = [range(-(-n // c)) for n, c in zip(labels.shape, NOISE_CELL, strict=True)]
    whole = decoded(*all_tiles(labels, NOISE_CELL, PARTITIONS["one tile"], n_iter=n_iter))
    pieces = decoded(*all_tiles(labels, NOISE_CELL, cells, n_iter=n_iter))
    assert whole.keys() == pieces.keys()
    for label, triangles in whole.items():
        np.testing.assert_array_equal(canonical(pieces[label]), canonical(triangles))


# -- small bodies -------------------------------------------------------------------------------


def small(name):
    """A volume of (24, 24, 24) voxels with one body of label 1, far from its ends."""
    labels = np.zeros((24, 24, 24), np.uint8)
    z, y, x = np.ogrid[:24, :24, :24]
    if name == "voxel":
        labels[11, 12, 10] = 1
    elif name == "2 x 2 x 2":
        labels[11:13, 12:14, 10:12] = 1
    elif name == "rod":
        labels[11, 6:18, 12] = 1
    elif name == "tube":
        labels[((x - 11.6) ** 2 + (z - 12.2) ** 2 <= 1.5**2) & (y > 4) & (y < 19)] = 1
    elif name == "sheet":
        labels[11, 4:20, 5:19] = 1
    elif name == "two voxels":
        labels[8, 8, 8] = labels[16, 15, 14] = 1
    else:
        labels = ball((24, 24, 24), (11.7, 12.1, 11.9), float(name)).astype(np.uint8)
    return labels


SMALL = ["voxel", "2 x 2 x 2", "rod", "tube", "sheet", "two voxels", "1.5", "2", "3", "4", "6"]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("n_iter", [0, 5])
def test_a_small_body_holds_its_voxels(name, n_iter):
    labels = small(name)
    parts = PARTITIONS["one tile"]
    records, blobs = all_tiles(labels, (32, 32, 32), parts, n_iter=n_iter, keep=1 / 15)
    triangles = decoded(records, blobs)[1]
    assert len(open_edges(triangles)) == 0
    body = solid(triangles, np.full(3, 32 / CELL_STEPS))
    assert body.volume == pytest.approx(labels.sum(), rel=0.01)
    centre = np.argwhere(labels).mean(axis=0)[::-1] + 0.5
    np.testing.assert_allclose(body.center_mass, centre, atol=0.2)


@pytest.mark.parametrize("cell", [32, 1024])
@pytest.mark.parametrize("n_iter", [10, 20, 50])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (1, 1, 6), (1, 3, 1), (2, 2, 2)])
def test_no_smoothing_makes_a_label_vanish(shape, n_iter, cell):
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[tuple(slice(11, 11 + n) for n in shape)] = 1
    parts = PARTITIONS["one tile"]
    records, blobs = all_tiles(labels, (cell,) * 3, parts, n_iter=n_iter, keep=1 / 15)
    triangles = decoded(records, blobs)[1]
    assert len(open_edges(triangles)) == 0
    body = solid(triangles, np.full(3, cell / CELL_STEPS))
    assert 0.5 * labels.sum() < body.volume < 1.1 * labels.sum()
    centre = np.argwhere(labels).mean(axis=0)[::-1] + 0.5
    np.testing.assert_allclose(body.center_mass, centre, atol=0.8)


def test_bodies_that_vanished_stand_where_their_label_and_cell_do():
    labels = ball((24, 24, 24), (12, 12, 12), 7) * np.uint32(2)
    labels[1, 1, 1], labels[12, 12, 12], labels[21, 2, 22] = 1, 3, 1
    records, blobs = all_tiles(labels, (12, 12, 12), ((0,), (0,), (0,)), n_iter=20, keep=1 / 15)
    assert_sound(records, blobs, 0)
    places = [(r["label"], *r["cell"][::-1].tolist()) for r in records]
    assert places == sorted(places) and len(places) == 2 + 8 + 1
    found = decoded(records, blobs)
    assert len(found[1]) == 2 * 12
    assert all(len(open_edges(triangles)) == 0 for triangles in found.values())


def test_any_small_body_holds_its_voxels():
    """But for one in a hundred, which is nearly a line once it is smoothed."""
    rng, errors = np.random.default_rng(0), []
    for n_voxels in rng.integers(1, 81, 100).tolist():
        labels = np.zeros((20, 20, 20), np.uint8)
        at = np.array([10, 10, 10])
        while labels.sum() < n_voxels:
            labels[tuple(at)] = 1
            at = np.argwhere(labels)[rng.integers(labels.sum())]
            axis = rng.integers(3)
            at[axis] = np.clip(at[axis] + rng.choice([-1, 1]), 4, 15)
        parts = PARTITIONS["one tile"]
        records, blobs = all_tiles(
            labels, (20, 20, 20), parts, n_iter=5, keep=1 / 15, max_error=0.75
        )
        triangles = decoded(records, blobs)[1]
        assert len(open_edges(triangles)) == 0
        volume = solid(triangles, np.full(3, 20 / CELL_STEPS)).volume
        errors.append(abs(volume / n_voxels - 1) if n_voxels >= 10 else 0)
        assert errors[-1] < 0.1
        assert volume == pytest.approx(n_voxels, rel=0.2)
    assert np.mean(errors) < 0.002
    assert np.mean(np.array(errors) > 0.02) <= 0.02


@pytest.mark.parametrize("cell", [12, 11, 13])
@pytest.mark.parametrize("radius", [5, 8])
def test_a_small_body_across_seams_holds_its_voxels(cell, radius):
    labels = ball((24, 24, 24), (11.7, 12.1, 11.9), radius)
    parts = [range(-(-24 // cell))] * 3
    # simplification leaves enough vertices that are not in a seam
    records, blobs = all_tiles(labels, (cell,) * 3, parts, n_iter=5, keep=0.5)
    triangles = decoded(records, blobs)[1]
    assert len(open_edges(triangles)) == 0
    volume = solid(triangles, np.full(3, cell / CELL_STEPS)).volume
    assert volume == pytest.approx(labels.sum(), rel=0.01)


# -- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_iter", [0, 5])
@pytest.mark.parametrize("parts", [((0,), (0,), (0,)), ((0, 1), (0, 1), (0, 1))])
def test_what_fills_the_dataset_is_closed_at_its_edge(parts, n_iter):
    shape = (32, 30, 24)  # along z and x it ends where its last cells end
    records, blobs = all_tiles(
        np.ones(shape, np.uint8), (16, 16, 12), parts, n_iter=n_iter, keep=0.1
    )
    assert_sound(records, blobs, 0)
    triangles = decoded(records, blobs)[1]
    assert len(open_edges(triangles)) == 0
    surface = solid(triangles, np.array([12, 16, 16]) / CELL_STEPS)
    assert surface.volume == pytest.approx(np.prod(shape), rel=0.02)
    # what smoothing takes from all edges comes back at the one face that may move
    np.testing.assert_allclose(surface.bounds, [[0, 0, 0], shape[::-1]], atol=0.3)
    if n_iter == 0:
        np.testing.assert_allclose(surface.center_mass, np.divide(shape, 2)[::-1], atol=0.1)


@pytest.mark.parametrize(("labels", "cell"), [(NOISE, NOISE_CELL), (DENSE, DENSE_CELL)])
@pytest.mark.parametrize(("lod", "n_iter", "keep"), [(0, 0, 1.0), (1, 2, 0.1)])
def test_seams_leave_nothing_open_but_in_their_planes(labels, cell, lod, n_iter, keep):
    # every seam is on a face of a cell, except the upper one along y, inside the last cell
    seams = [(0, cell[0]), (0, 2 * cell[1] - 3), (0, cell[2])]
    records, blobs = one_tile(
        labels, cell, (1, 2, 1), (2, 4, 2), seams, lod=lod, n_iter=n_iter, keep=keep
    )
    assert_sound(records, blobs, lod)
    planes = [
        (axis, first * CELL_STEPS + int(seam * CELL_STEPS / c + 0.5))
        for axis, (first, c, sides) in enumerate(
            zip((1, 2, 1), cell[::-1], seams[::-1], strict=True)
        )
        for seam in sides
    ]
    met = set()
    for triangles in decoded(records, blobs).values():
        ends = open_edges(triangles)
        in_plane = np.array([(ends[..., axis] == plane).all(axis=1) for axis, plane in planes])
        assert in_plane.any(axis=0).all()
        met.update(np.flatnonzero(in_plane.any(axis=1)).tolist())
        for axis in range(3):
            low, high = (plane for a, plane in planes if a == axis)
            assert triangles[..., axis].min() >= low and triangles[..., axis].max() <= high
    assert met == set(range(6))


def test_a_tile_of_background():
    where = Tile(
        0, (0, 0, 0), (1, 1, 1), (8, 8, 8), (1.0, 1.0, 1.0), ((None, None),) * 3, ((0, 8),) * 3
    )
    nothing = compact_labels(np.zeros((8, 8, 8), np.uint8))
    records, blobs, dense_faces = mesh_tile(nothing, (0, 0, 0), where, 5, 0.1, 1.0)
    assert records.dtype == FRAGMENT and len(records) == len(blobs) == dense_faces == 0


# Where volumes end, z y x: inside their last voxels, as coarse levels do. The last end along x is a
# plane between octants.
ENDS = [(21.125, 26.5, 24.875), (21.5, 26.25, 22.5)]


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("parts", PARTITIONS.values(), ids=PARTITIONS)
@pytest.mark.parametrize(("lod", "n_iter", "keep"), [(1, 0, 0.2), (2, 2, 0.1), (3, 0, 1.0)])
def test_nothing_sticks_out_of_the_volume(ends, parts, lod, n_iter, keep):
    cell = (6, 6, 9)
    labels = np.ascontiguousarray(NOISE[tuple(slice(ceil(end)) for end in ends)])
    records, blobs = all_tiles(
        labels, cell, parts, lod=lod, n_iter=n_iter, keep=keep, max_error=0.75, ends=ends
    )
    assert_sound(records, blobs, lod)
    upper = [
        floor(Fraction(e) / c * CELL_STEPS + Fraction(1, 2))
        for e, c in zip(ends, cell, strict=False)
    ]
    for triangles in decoded(records, blobs).values():
        assert len(open_edges(triangles)) == 0
        assert triangles.min() >= 0 and (triangles.max(axis=(0, 1)) <= upper[::-1]).all()
