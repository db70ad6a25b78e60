import numpy as np
import pytest

from snakemesh.mesh.enclosed import enclosed_moments
from snakemesh.mesh.pieces import on_planes
from snakemesh.mesh.restore_volume import (
    FIRST_ROUNDS,
    MAX_PUSH,
    MAX_PUSH_AT_SEAM,
    MAX_SLANT,
    restore_volume,
)
from snakemesh.mesh.seam_curves import thin_curves
from snakemesh.mesh.simplify import simplify
from surfaces import ball, dense, face_pieces, pieces_of, planes_at, voronoi

# Steps in a voxel, and the length of a step in voxels.
VOXEL = 256
UNIT = np.full(3, 1 / VOXEL)


# No vertex of a test lies as far as the faces of this tile.
FAR = np.full(3, 1 << 24, np.int32)
CLOSED = np.zeros((3, 2), bool)


def moments(vertices, faces, owners, unit=UNIT):
    """What each owner encloses, by `enclosed_moments`; all surfaces are closed."""
    return enclosed_moments(
        vertices, faces, owners, unit, FAR, CLOSED[:, 1], np.zeros(owners.max() + 1)
    )


def volumes(vertices, faces, owners, unit=UNIT):
    """The first column of the moments."""
    return moments(vertices, faces, owners, unit)[:, 0]


def restore(vertices, faces, owners, wanted, unit=UNIT):
    """Call `restore_volume` in a tile that ends far away."""
    restore_volume(vertices, faces, owners, wanted, unit, FAR, CLOSED, no_planes(vertices))


def no_planes(vertices):
    """The bits of vertices that no plane holds."""
    return np.zeros(len(vertices), np.uint8)


def tube():
    """A bent tube, four voxels thick."""
    z, y, x = np.ogrid[:64, :24, :24]
    inside = (y - 12 - 2 * np.sin(z / 7)) ** 2 + (x - 11.5 - 2 * np.cos(z / 9)) ** 2 <= 4.8
    return (inside & (z > 4) & (z < 60)).astype(np.uint32)


def simplified(labels, keep=1 / 15):
    """Vertices, simplified faces, their owners, and the moments of the dense surfaces."""
    vertices, faces, owners = dense(labels, 5, VOXEL)
    wanted = moments(vertices, faces, owners)
    return *simplified_pieces(pieces_of(vertices, faces, owners), keep), wanted


def simplified_pieces(pieces, keep):
    """Vertices, simplified faces, and their owners."""
    faces, of, _, _ = simplify(pieces, *thin_curves(pieces, UNIT, 0.3, 5.0), UNIT, keep, 99.0)
    return pieces.vertices, faces, pieces.owners[of]


@pytest.mark.parametrize(
    ("labels", "lost"), [(ball((36, 36, 36), (18, 18, 18), 14), 0.002), (tube(), 0.05)]
)
def test_a_ball_and_a_thin_tube_get_their_volume_back(labels, lost):
    vertices, faces, owners, wanted = simplified(labels)
    assert volumes(vertices, faces, owners) < (1 - lost) * wanted[:, 0]
    before = vertices.copy()
    restore(vertices, faces, owners, wanted)
    np.testing.assert_allclose(
        volumes(vertices, faces, owners), wanted[:, 0], rtol=min(lost / 5, 2e-3)
    )
    moved = np.linalg.norm((vertices - before) * UNIT, axis=1)
    assert moved.max() < 0.25


def test_every_label_gets_its_own_volume_back_wherever_it_lies():
    vertices, faces, owners, wanted = simplified(voronoi((40, 40, 40), 12, 1), 1 / 30)
    vertices += VOXEL  # no face of the tile is near
    wanted[:, 1:] += wanted[:, :1]
    offset = np.array([0, 70_000, 30_000], np.int32)
    moved, wanted_there = vertices + offset, wanted.copy()
    wanted_there[:, 1:] += wanted[:, :1] * (offset * UNIT)
    restore(vertices, faces, owners, wanted)
    np.testing.assert_allclose(volumes(vertices, faces, owners), wanted[:, 0], rtol=2e-3)
    restore(moved, faces, owners, wanted_there)
    assert np.abs(moved - offset - vertices).max() <= 1


def test_labels_get_their_centroids_back():
    vertices, faces, owners, wanted = simplified(voronoi((48, 48, 48), 12, 2))
    wanted[:, 1:] += wanted[:, :1] * np.array([0.04, -0.05, 0.03])  # voxels to where they shall be

    def off():
        found = moments(vertices, faces, owners)
        return np.abs(found[:, 1:] / found[:, :1] - wanted[:, 1:] / wanted[:, :1])

    before = np.median(off())
    restore(vertices, faces, owners, wanted)
    assert np.median(off()) < before / 4
    assert np.median(off()) < 0.01


@pytest.mark.parametrize("unit", [(1.0, 1.0, 1.0), (0.8, 0.8, 1.5625)])
def test_voxels_of_any_shape(unit):
    unit = np.array(unit) / VOXEL
    vertices, faces, owners, _ = simplified(ball((36, 36, 36), (18, 18, 18), 14))
    wanted = 1.02 * moments(vertices, faces, owners, unit)
    before = vertices.copy()
    restore(vertices, faces, owners, wanted, unit)
    np.testing.assert_allclose(volumes(vertices, faces, owners, unit), wanted[:, 0], rtol=2e-3)
    # all are pushed by one distance in voxels, however long a step is on each axis
    used = np.unique(faces)
    moved = np.linalg.norm((vertices - before)[used] * unit, axis=1)
    assert moved.max() - moved.min() < 3 * unit.max()


def test_what_lies_in_a_seam_or_is_not_used_never_moves():
    plane = 30 * VOXEL
    seams = CLOSED.copy()
    seams[2, 1] = True
    upper = np.array([1 << 24, 1 << 24, plane], np.int32)
    pieces = pieces_of(*dense(tube(), 5, VOXEL), planes_at(((), (), (plane,)), seams))

    def volume(faces, owners):
        return enclosed_moments(vertices, faces, owners, UNIT, upper, seams[:, 1], [800.0])

    vertices = pieces.vertices
    wanted = volume(pieces.faces, pieces.owners[face_pieces(pieces)])
    vertices, faces, owners = simplified_pieces(pieces, 0.1)
    assert volume(faces, owners)[0, 0] < 0.98 * wanted[0, 0]
    used = np.isin(np.arange(len(vertices)), faces)
    stays = ~used | (vertices[:, 2] == plane)
    assert (stays & used).sum() > 3
    before = vertices.copy()
    # the seam itself holds its vertices, even if no bit says so
    restore_volume(vertices, faces, owners, wanted, UNIT, upper, seams, no_planes(vertices))
    np.testing.assert_array_equal(vertices[stays], before[stays])
    assert (vertices[~stays] != before[~stays]).any(axis=1).mean() > 0.9
    np.testing.assert_allclose(volume(faces, owners)[:, 0], wanted[:, 0], rtol=2e-3)


def test_what_lies_in_a_plane_that_cuts_never_moves():
    planes = planes_at(((12 * VOXEL,), (), (20 * VOXEL, 41 * VOXEL + 19)))
    pieces = pieces_of(*dense(tube(), 5, VOXEL), planes)
    wanted = moments(pieces.vertices, pieces.faces, pieces.owners[face_pieces(pieces)])
    vertices, faces, owners = simplified_pieces(pieces, 0.1)
    assert volumes(vertices, faces, owners) < 0.98 * wanted[:, 0]
    held = on_planes(pieces.codes)
    used = np.isin(np.arange(len(vertices)), faces)
    assert (used & (held > 0)).sum() > 9
    before = vertices.copy()
    restore_volume(vertices, faces, owners, wanted, UNIT, FAR, CLOSED, held)
    np.testing.assert_array_equal(vertices[held > 0], before[held > 0])
    free = used & (held == 0)
    assert (vertices[free] != before[free]).any(axis=1).mean() > 0.9
    np.testing.assert_allclose(volumes(vertices, faces, owners), wanted[:, 0], rtol=2e-3)


@pytest.mark.parametrize("bit", range(6))
def test_every_plane_holds(bit):
    vertices, faces, owners, wanted = simplified(ball((24, 24, 24), (12, 12, 12), 9))
    held = np.where(np.arange(len(vertices)) % 3 == 0, 1 << bit, 0).astype(np.uint8)
    before = vertices.copy()
    restore_volume(vertices, faces, owners, 1.1 * wanted, UNIT, FAR, CLOSED, held)
    np.testing.assert_array_equal(vertices[held > 0], before[held > 0])
    moves = np.isin(np.arange(len(vertices)), faces) & (held == 0)
    assert (vertices[moves] != before[moves]).any(axis=1).all()


def test_all_in_seams():
    vertices, faces, owners, wanted = simplified(ball((24, 24, 24), (12, 12, 12), 9))
    vertices[:, 1] = 0
    before = vertices.copy()
    restore_volume(vertices, faces, owners, wanted, UNIT, FAR, ~CLOSED, no_planes(vertices))
    np.testing.assert_array_equal(vertices, before)


def test_vertices_on_a_closed_face_of_the_tile_move_along_it():
    vertices, faces, owners, wanted = simplified(ball((24, 24, 24), (12, 12, 12), 9))
    upper = np.array([1 << 24, 16 * VOXEL, 1 << 24], np.int32)
    np.minimum(vertices, upper, out=vertices)
    used = np.isin(np.arange(len(vertices)), faces)
    on_face = used & (vertices[:, 1] == upper[1])
    before = vertices.copy()
    wanted = 1.2 * moments(vertices, faces, owners)
    restore_volume(vertices, faces, owners, wanted, UNIT, upper, CLOSED, no_planes(vertices))
    assert (vertices[on_face, 1] == upper[1]).all() and (vertices <= upper).all()
    assert (vertices[on_face] != before[on_face]).any()
    np.testing.assert_allclose(volumes(vertices, faces, owners), wanted[:, 0], rtol=2e-3)


@pytest.mark.parametrize("factor", [0.0, 1000.0])
@pytest.mark.parametrize(("seams", "limit"), [(0, MAX_PUSH), (1, MAX_PUSH_AT_SEAM)])
def test_no_wish_moves_a_vertex_far(factor, seams, limit):
    vertices, faces, owners, wanted = simplified(ball((24, 24, 24), (12, 12, 12), 9))
    is_seam = CLOSED.copy()
    if seams:
        is_seam[0, 0] = True
        vertices[:, 0] -= vertices[np.unique(faces), 0].min()
    before = vertices.copy()
    held = no_planes(vertices)
    restore_volume(vertices, faces, owners, factor * wanted, UNIT, FAR, is_seam, held)
    moved = np.linalg.norm((vertices - before) * UNIT, axis=1)
    assert moved.max() <= limit + FIRST_ROUNDS * MAX_SLANT
    assert moved.max() > 0.9 * limit


@pytest.mark.parametrize("growth", [1.01, 1.5, 3.0])
def test_what_has_shrunk_grows_and_keeps_its_shape(growth):
    vertices, faces, owners = dense(ball((16, 16, 16), (8, 8, 8), 2), 5, 4096)
    unit = np.full(3, 1 / 4096)
    wanted = moments(vertices, faces, owners, unit)
    middle = wanted[0, 1:] / wanted[0, 0]
    shrunk = np.rint((vertices * unit - middle) / growth ** (1 / 3) / unit + middle / unit)
    shrunk = shrunk.astype(np.int32)
    restore(shrunk, faces, owners, wanted, unit)
    np.testing.assert_allclose(volumes(shrunk, faces, owners, unit), wanted[:, 0], rtol=2e-3)
    np.testing.assert_allclose(shrunk * unit, vertices * unit, atol=0.4)
