from itertools import pairwise, product

import numpy as np
import pytest
import trimesh

from snakemesh.mesh.cutting import split
from snakemesh.mesh.enclosed import enclosed_moments
from surfaces import ball, dense, face_pieces, noise, pieces_of, planes_at, voronoi

VOXEL = 256
UNIT = np.array([0.8, 1.1, 1.4]) / VOXEL


def closed(vertices, faces, owner_rows):
    """Volume and first moments about 0 by trimesh of one closed surface."""
    mesh = trimesh.Trimesh(vertices * UNIT, faces[owner_rows], process=False)
    return mesh.volume * np.append(1.0, mesh.center_mass)


def part(vertices, faces, owners, box):
    """The surfaces in a box, cut at its faces; box: per axis low and high, None without a seam."""
    positions = [[p for p in ends if p is not None] for ends in box]
    seams = [[p is not None for p in ends] for ends in box]
    pieces = pieces_of(vertices, faces, owners, planes_at(positions, seams))
    return pieces.vertices, pieces.faces, pieces.owners[face_pieces(pieces)]


def in_tiles(vertices, faces, owners, parts, shape, near):
    """The moments of each owner in every tile, about 0, (tiles, O, 4), and the tiles' volumes.

    parts: x y z, where the tiles meet. near: (tiles, O), the number of voxels.
    """
    moments, volumes = [], []
    spans = [list(pairwise([None, *planes, None])) for planes in parts]
    for box, volume in zip(product(*spans), near, strict=True):
        low = np.array([0 if a is None else a for a, _ in box], np.int32)
        high = np.array(
            [n * VOXEL if b is None else b for (_, b), n in zip(box, shape, strict=True)], np.int32
        )
        v, f, o = part(vertices, faces, owners, box)
        is_seam = np.array([b is not None for _, b in box])
        found = enclosed_moments(v - low, f, o, UNIT, high - low, is_seam, volume)
        found[:, 1:] += found[:, :1] * (low * UNIT)
        moments.append(found)
        volumes.append(np.prod((high - low) * UNIT))
    return np.array(moments), np.array(volumes)


def voxels_in_tiles(labels, parts):
    """The volume of the voxels of label 1, 2, ... in every tile, (tiles, L)."""
    spans = [list(pairwise([0, *(p // VOXEL for p in planes), None])) for planes in parts]
    found = []
    for x, y, z in product(*spans):
        tile = labels[slice(*z), slice(*y), slice(*x)]
        found.append(np.bincount(tile.ravel(), minlength=labels.max() + 1)[1:])
    return np.array(found) * np.prod(UNIT * VOXEL)


def test_a_closed_surface():
    vertices, faces, owners = dense(voronoi((20, 24, 22), 8, 0), 2, VOXEL)
    found = enclosed_moments(
        vertices, faces, owners, UNIT, np.full(3, 30 * VOXEL), np.zeros(3, bool), np.zeros(9)
    )
    for owner in range(owners.max() + 1):
        expected = closed(vertices, faces, owners == owner)
        np.testing.assert_allclose(found[owner], expected, rtol=1e-6)
    assert not found[owners.max() + 1 :].any()


DENSE = voronoi((30, 32, 34), 6, 3)
DENSE = np.searchsorted(np.unique(DENSE), DENSE).astype(np.uint32)


@pytest.mark.parametrize("n_iter", [0, 3])
@pytest.mark.parametrize(
    "labels", [ball((30, 32, 34), (15, 16, 17), 13), DENSE, noise((30, 32, 34), 2, 0)]
)
@pytest.mark.parametrize(
    "planes", [((10, 20),) * 3, ((15,), (16,), (17,)), ((14,), (3, 16), ()), ((), (), (12,))]
)
def test_what_is_enclosed_in_the_tiles_adds_up(labels, planes, n_iter):
    # tiles with six seams, and with fewer; the middle of the ball is a corner of tiles
    vertices, faces, owners = dense(labels, n_iter, VOXEL)
    parts = [np.array(p, np.int32) * VOXEL for p in planes]
    near = voxels_in_tiles(labels, parts)
    moments, volumes = in_tiles(vertices, faces, owners, parts, labels.shape[::-1], near)
    # cuts round the surface a little
    for axis, plane in ((axis, plane) for axis, p in enumerate(parts) for plane in p):
        vertices, faces, owners = split(vertices, faces, owners, axis, plane)
    for owner in range(owners.max() + 1):
        expected = closed(vertices, faces, owners == owner)
        scale = abs(expected).max()
        np.testing.assert_allclose(moments[:, owner].sum(axis=0), expected, atol=1e-8 * scale)
    assert (moments[..., 0] >= -1e-6).all()
    assert (moments[..., 0] <= 1.01 * volumes[:, None]).all()


def test_a_tile_inside_a_body_is_full():
    none = np.zeros((0, 3), np.int32)
    end = np.full(3, 10 * VOXEL, np.int32)
    full = np.prod(end * UNIT)
    found = enclosed_moments(
        none, none, none[:, 0], UNIT, end, np.ones(3, bool), np.array([full, 0.0])
    )
    np.testing.assert_allclose(found, [full * np.append(1, end * UNIT / 2), np.zeros(4)])
