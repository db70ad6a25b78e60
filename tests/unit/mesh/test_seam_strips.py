import numpy as np
import pytest

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.halo import halo_voxels
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.pieces import on_planes
from snakemesh.mesh.tile import Tile, mesh_tile
from surfaces import ball, fragments, tile_pieces, voronoi

SWEEPS = 5


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def angles(some, others):
    return np.degrees(np.arccos(np.clip((unit(some) * unit(others)).sum(axis=1), -1, 1)))


def drawn(records, blobs):
    """The normals that Neuroglancer draws at vertices on faces of cells, by their position.

    The sum of the normals of a fragment's faces, each of length 1 (computeVertexNormals in
    src/mesh/backend.ts). One entry for each fragment that has the vertex.
    """
    found = {}
    for record, points, faces in fragments(records, blobs):
        a, b, c = points.astype(float)[faces].transpose(1, 0, 2)
        normals = np.repeat(unit(np.cross(b - a, c - a)), 3, axis=0)
        sums = np.stack(
            [np.bincount(faces.ravel(), normals[:, i], len(points)) for i in range(3)], axis=1
        )
        for v in np.flatnonzero(((points == 0) | (points == CELL_STEPS)).any(axis=1)):
            place = record["cell"].astype(int) * CELL_STEPS + points[v]
            found.setdefault((int(record["label"]), *place.tolist()), []).append(sums[v])
    return found


def fragments_of(labels, cell, lod, keep):
    """Records and Draco bytes of a volume in one tile. cell: voxels, x y z."""
    shape = labels.shape[::-1]
    n_cells = tuple(-(-n // c) for n, c in zip(shape, cell, strict=True))
    ends = tuple((0, n) for n in shape)
    tile = Tile(lod, (0, 0, 0), n_cells, cell, tuple(map(float, cell)), ((None, None),) * 3, ends)
    return mesh_tile(compact_labels(labels), (0, 0, 0), tile, SWEEPS >> lod, keep, 0.75)[:2]


VOLUMES = {
    "ball": (ball((64, 64, 64), (31.7, 32.2, 31.9), 26), (32, 32, 32), 8),
    "voronoi": (voronoi((64, 60, 66), 20, 5), (33, 30, 32), 15),
}


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize(("lod", "keep"), [(0, 1 / 15), (1, 1 / 10)])
def test_both_sides_of_a_seam_draw_the_same_normals(name, lod, keep):
    """Without strips they are 5 degrees apart (median), and 9 to 20 (90 %). The second volume
    has flat faces with sharp edges alone.
    """
    labels, cell, most = VOLUMES[name]
    found = drawn(*fragments_of(labels, cell, lod, keep)).values()
    apart = angles(*np.array([pair for pair in found if len(pair) == 2]).transpose(1, 0, 2))
    assert len(apart) > 100
    assert np.median(apart) < 3 and np.quantile(apart, 0.9) < most


def test_they_are_those_of_the_ball():
    """Without strips one in ten is 9 degrees off or more."""
    labels, cell, *_ = VOLUMES["ball"]
    found = drawn(*fragments_of(labels, cell, 0, 1 / 15))
    middle = (np.array([31.9, 32.2, 31.7]) + 0.5) / 32 * CELL_STEPS
    normals = np.array([normal for pair in found.values() for normal in pair])
    places = np.array([place for (_, *place), pair in found.items() for _ in pair])
    assert np.quantile(angles(normals, places - middle), 0.9) < 8


def test_both_sides_know_the_same_normals():
    """Two tiles that meet in a plane: for vertices on no other plane, from their own voxels."""
    labels, cell, *_ = VOLUMES["voronoi"]
    sides = []
    for begin, end in (((0, 0, 0), (1, 2, 2)), ((1, 0, 0), (2, 2, 2))):
        pieces, of, _ = tile_pieces(labels, cell, begin, end, SWEEPS, False)
        assert halo_voxels(SWEEPS) < cell[0]
        labels_of = np.zeros(len(pieces.vertices), np.uint64)
        labels_of[pieces.faces] = np.repeat(of, np.diff(pieces.starts))[:, None]
        places = pieces.vertices + np.multiply(begin, CELL_STEPS)
        alone = (places[:, 0] == CELL_STEPS) & (on_planes(pieces.codes) < 4) & (labels_of > 0)
        assert (np.abs(pieces.normals[alone]).max(axis=1) > 0).mean() > 0.85
        keys = map(tuple, np.column_stack([labels_of[alone], places[alone]]).tolist())
        sides.append(dict(zip(keys, pieces.normals[alone].tolist(), strict=True)))
    shared = sides[0].keys() & sides[1].keys()
    assert len(shared) == len(sides[0]) == len(sides[1]) > 500
    assert sides[0] == sides[1]


def test_normals_in_planes_are_0_elsewhere():
    labels, cell, *_ = VOLUMES["voronoi"]
    pieces, _, _ = tile_pieces(labels, cell, (0, 0, 0), (2, 2, 2), SWEEPS, True)
    assert not pieces.normals[on_planes(pieces.codes) == 0].any()
