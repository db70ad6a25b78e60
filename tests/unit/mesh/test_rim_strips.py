import numpy as np
import pytest
from test_seam_strips import angles, unit

import snakemesh.mesh.tile
from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.rim_strips import strips_along_rims
from snakemesh.mesh.tile import Tile, mesh_tile
from surfaces import assert_sound, decoded, fragments, noise, open_edges, solid, voronoi

CELL = (32, 32, 32)


def meshed(labels, lod=0, sweeps=5, keep=1 / 15):
    """Records and Draco bytes of a volume in one tile."""
    shape = labels.shape[::-1]
    n_cells = tuple(-(-n // c) for n, c in zip(shape, CELL, strict=True))
    ends = tuple((0, n) for n in shape)
    tile = Tile(lod, (0, 0, 0), n_cells, CELL, (1.0, 1.0, 1.0), ((None, None),) * 3, ends)
    return mesh_tile(compact_labels(labels), (0, 0, 0), tile, sweeps, keep, 0.75)[:2]


def rod():
    """A rod of radius 9 along x, from end to end, through the planes between cells."""
    z, y, _ = np.ogrid[:40, :40, :48]
    return np.broadcast_to((z - 19.3) ** 2 + (y - 20.1) ** 2 <= 81, (40, 40, 48)).astype(np.uint8)


def flat_cuts(records, blobs, shape):
    """The angles between the normals that the viewer draws in faces in the ends of the volume and
    those of the ends, the faces' areas in voxels, and how many ends have such faces.
    """
    found, areas, seen = [], [], set()
    for record, points, faces in fragments(records, blobs):
        a, b, c = points.astype(float)[faces].transpose(1, 0, 2)
        across = np.cross(b - a, c - a)
        normals = np.repeat(unit(across), 3, axis=0)
        drawn = unit(
            np.stack([np.bincount(faces.ravel(), normals[:, i], len(points)) for i in range(3)], 1)
        )
        places = (points + record["cell"].astype(int) * CELL_STEPS)[faces]
        for axis in range(3):
            for side, end in ((-1, 0), (1, int(shape[axis] / CELL[axis] * CELL_STEPS + 0.5))):
                mine = (places[..., axis] == end).all(axis=1)
                if mine.any():
                    up = np.tile(side * np.eye(3)[axis], (mine.sum(), 1))
                    # at the middles of faces
                    found.append(angles(drawn[faces[mine]].mean(axis=1), up))
                    areas.append(np.linalg.norm(across[mine], axis=1) / 2 * (32 / CELL_STEPS) ** 2)
                    seen.add((axis, side))
    return np.concatenate(found), np.concatenate(areas), len(seen)


@pytest.mark.parametrize(("lod", "missing"), [(0, 0.05), (1, 0.25)])
def test_the_ends_of_a_rod_are_drawn_flat(lod, missing):
    """Simplification takes a part of the rim. Smoothed as elsewhere, 70 % of the ends are flat at
    LOD 0, and the mean of the angles there is 4 degrees.
    """
    labels = rod()
    records, blobs = meshed(labels, lod, 5 >> lod)
    assert_sound(records, blobs, lod)
    off, areas, n_ends = flat_cuts(records, blobs, labels.shape[::-1])
    assert n_ends == 2
    assert areas.sum() == pytest.approx(2 * np.pi * 81, rel=missing)
    assert np.average(off, weights=areas) < 3
    (triangles,) = decoded(records, blobs).values()
    assert len(open_edges(triangles)) == 0
    body = solid(triangles, np.full(3, 32 / CELL_STEPS))
    assert body.volume == pytest.approx(labels.sum(), rel=0.01)


def test_dense_tissue_fills_the_ends():
    """Cuts are flat nearly up to their rims, though these bodies have only some hundred faces."""
    labels = voronoi((40, 44, 48), 20, 3)
    labels[labels == 0] = 99
    records, blobs = meshed(labels)
    off, areas, n_ends = flat_cuts(records, blobs, labels.shape[::-1])
    assert n_ends == 6
    assert areas.sum() > 0.8 * 2 * (40 * 44 + 44 * 48 + 48 * 40)
    assert np.average(off, weights=areas) < 3


@pytest.mark.parametrize("seed", range(6))
def test_no_strip_reaches_into_another_end(seed, monkeypatch):
    """Of a body in an edge of the volume, the flat cuts in both ends may have the same edge."""
    seen = []

    def strips(mesh, geometry, *more):
        found = strips_along_rims(mesh, geometry, *more)
        new = found.vertices[len(mesh.vertices) :]
        ends = geometry.ends
        seen.extend(((new == ends.lower) | (new == ends.upper)).sum(axis=1))
        return found

    monkeypatch.setattr(snakemesh.mesh.tile, "strips_along_rims", strips)
    labels = noise((3, 40, 40), 3, seed)
    meshed(np.repeat(np.repeat(labels, 3, axis=0), 2, axis=1).astype(np.uint8))
    assert len(seen) > 50 and set(seen) == {1}


@pytest.mark.parametrize("name", ["noise", "sheet", "voxels"])
@pytest.mark.parametrize(("lod", "sweeps", "keep"), [(0, 5, 1 / 15), (1, 2, 0.3), (3, 0, 1.0)])
def test_what_is_thin_at_an_end_stays_closed(name, lod, sweeps, keep):
    labels = noise((20, 36, 22), 3, 4).astype(np.uint8)
    if name != "noise":
        labels[:] = 0
        labels[-1, 3:9, 4:15] = 1
        labels[5:16, 0, 2:12] = 2
        labels[0, 20, 5] = labels[-1, -1, -1] = 3
        if name == "voxels":
            labels[:, ::2] = labels[:, :, ::2] = 0
    records, blobs = meshed(labels, lod, sweeps, keep)
    assert_sound(records, blobs, lod)
    found = decoded(records, blobs)
    assert sorted(found) == np.unique(labels[labels > 0]).tolist()
    for label, triangles in found.items():
        assert len(open_edges(triangles)) == 0
        volume = solid(triangles, np.full(3, 32 / CELL_STEPS)).volume
        assert volume > 0.4 * np.count_nonzero(labels == label)
