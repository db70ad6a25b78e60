import numpy as np
import pytest
import trimesh

from snakemesh.mesh.cutting import sides, split
from snakemesh.mesh.restore_volume import MAX_PUSH, ROUNDS, middles, moments, restore_volume
from snakemesh.mesh.simplify import simplify
from surfaces import ball, dense, voronoi

# Steps in a voxel, and the length of a step in voxels.
VOXEL = 256
UNIT = np.full(3, 1 / VOXEL)


def volumes(vertices, faces, owners, n_owners, unit):
    """The first column of the moments."""
    return moments(vertices, faces, owners, np.zeros((n_owners, 3)), unit)[:, 0]


def restore(vertices, faces, owners, wanted, unit, fixed):
    """Call `restore_volume` with moments about the middle of all vertices."""
    origins = np.tile(vertices.mean(axis=0) * unit, (len(wanted), 1))
    restore_volume(vertices, faces, owners, wanted, origins, unit, fixed)


def about_the_middle(vertices, faces, owners, unit):
    """The moments of each owner about the middle of all vertices."""
    origins = np.tile(vertices.mean(axis=0) * unit, (owners.max() + 1, 1))
    return moments(vertices, faces, owners, origins, unit)


def tube():
    """A bent tube, four voxels thick."""
    z, y, x = np.ogrid[:64, :24, :24]
    inside = (y - 12 - 2 * np.sin(z / 7)) ** 2 + (x - 11.5 - 2 * np.cos(z / 9)) ** 2 <= 4.8
    return (inside & (z > 4) & (z < 60)).astype(np.uint32)


def simplified(labels, keep=1 / 15):
    """Vertices, simplified faces, their owners, and the moments of the dense surfaces."""
    vertices, faces, owners = dense(labels, 5, VOXEL)
    wanted = about_the_middle(vertices, faces, owners, UNIT)
    return vertices, *simplify(vertices, faces, owners, UNIT, keep, 99.0), wanted


# -- volumes ------------------------------------------------------------------------------------


def test_volumes_against_trimesh():
    vertices, faces, owners = dense(voronoi((20, 24, 22), 8, 0), 2, VOXEL)
    unit = np.array([0.5, 3.0, 0.01])
    found = volumes(vertices, faces, owners, owners.max() + 2, unit)
    for owner in range(owners.max() + 1):
        mesh = trimesh.Trimesh(vertices * unit, faces[owners == owner], process=False)
        assert found[owner] == pytest.approx(mesh.volume, rel=1e-9)
    assert found[-1] == 0


def test_of_two_surfaces_with_one_border_the_difference_counts():
    vertices, faces, owners = dense(ball((24, 24, 24), (12, 12, 12), 9), 2, VOXEL)
    vertices, faces, owners = split(vertices, faces, owners, 2, 9 * VOXEL)
    above = sides(vertices, faces, 2, 9 * VOXEL)
    whole, cap, rest = (
        volumes(vertices, faces[m], owners[m], 1, UNIT)[0] for m in (above | ~above, above, ~above)
    )
    assert cap + rest == pytest.approx(whole, rel=1e-12)
    flat, flat_owners = simplify(vertices, faces[above], owners[above], UNIT, 0.1, 99.0)
    closed = trimesh.Trimesh(vertices * UNIT, np.concatenate([flat, faces[~above]]), process=False)
    lost = cap - volumes(vertices, flat, flat_owners, 1, UNIT)[0]
    assert whole - closed.volume == pytest.approx(lost, rel=1e-6)


# -- restore_volume -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "lost"), [(ball((36, 36, 36), (18, 18, 18), 14), 0.01), (tube(), 0.05)]
)
def test_a_ball_and_a_thin_tube_get_their_volume_back(labels, lost):
    vertices, faces, owners, wanted = simplified(labels)
    assert volumes(vertices, faces, owners, 1, UNIT) < (1 - lost) * wanted[:, 0]
    before = vertices.copy()
    restore(vertices, faces, owners, wanted, UNIT, np.zeros(len(vertices), bool))
    np.testing.assert_allclose(volumes(vertices, faces, owners, 1, UNIT), wanted[:, 0], rtol=1e-3)
    moved = np.linalg.norm((vertices - before) * UNIT, axis=1)
    assert moved.max() < MAX_PUSH


def test_every_label_gets_its_own_volume_back_wherever_it_lies():
    vertices, faces, owners, wanted = simplified(voronoi((40, 40, 40), 12, 1), 1 / 30)
    offset = np.array([0, 70_000, -30_000], np.int32)
    moved = vertices + offset
    free = np.zeros(len(vertices), bool)
    restore(vertices, faces, owners, wanted, UNIT, free)
    np.testing.assert_allclose(
        volumes(vertices, faces, owners, len(wanted), UNIT), wanted[:, 0], rtol=1e-3
    )
    restore(moved, faces, owners, wanted, UNIT, free)
    assert np.abs(moved - offset - vertices).max() <= 1


def test_labels_get_their_centroids_back():
    vertices, faces, owners, wanted = simplified(voronoi((48, 48, 48), 12, 2))
    origins = np.tile(vertices.mean(axis=0) * UNIT, (len(wanted), 1))

    def off():
        found = moments(vertices, faces, owners, origins, UNIT)
        return np.abs(found[:, 1:] / found[:, :1] - wanted[:, 1:] / wanted[:, :1])

    before = np.median(off())
    restore(vertices, faces, owners, wanted, UNIT, np.zeros(len(vertices), bool))
    assert np.median(off()) < before / 4
    assert np.median(off()) < 0.01


def test_moments_against_trimesh():
    vertices, faces, owners = dense(voronoi((20, 24, 22), 8, 0), 2, VOXEL)
    unit = np.array([0.5, 3.0, 0.01])
    origins = middles(vertices, faces, owners, owners.max() + 1, unit)
    found = moments(vertices, faces, owners, origins, unit)
    for owner in range(owners.max() + 1):
        mesh = trimesh.Trimesh(vertices * unit, faces[owners == owner], process=False)
        centroid = origins[owner] + found[owner, 1:] / found[owner, 0]
        np.testing.assert_allclose(centroid, mesh.center_mass, rtol=1e-6)


@pytest.mark.parametrize("unit", [(1.0, 1.0, 1.0), (0.8, 0.8, 1.5625)])
def test_voxels_of_any_shape(unit):
    unit = np.array(unit) / VOXEL
    vertices, faces, owners, _ = simplified(ball((36, 36, 36), (18, 18, 18), 14))
    wanted = 1.02 * about_the_middle(vertices, faces, owners, unit)
    before = vertices.copy()
    restore(vertices, faces, owners, wanted, unit, np.zeros(len(vertices), bool))
    np.testing.assert_allclose(volumes(vertices, faces, owners, 1, unit), wanted[:, 0], rtol=1e-3)
    # all are pushed by one distance in voxels, however long a step is on each axis
    used = np.unique(faces)
    moved = np.linalg.norm((vertices - before)[used] * unit, axis=1)
    assert moved.max() - moved.min() < 3 * unit.max()


def test_what_is_fixed_or_not_used_never_moves():
    vertices, faces, owners, wanted = simplified(tube())
    fixed = vertices[:, 2] < 30 * VOXEL
    stays = fixed.copy()
    stays[np.setdiff1d(np.arange(len(vertices)), faces)] = True
    before = vertices.copy()
    restore(vertices, faces, owners, wanted, UNIT, fixed)
    np.testing.assert_array_equal(vertices[stays], before[stays])
    assert (vertices[~stays] != before[~stays]).any(axis=1).mean() > 0.9
    np.testing.assert_allclose(volumes(vertices, faces, owners, 1, UNIT), wanted[:, 0], rtol=1e-3)


def test_all_fixed():
    vertices, faces, owners, wanted = simplified(tube())
    before = vertices.copy()
    restore(vertices, faces, owners, wanted, UNIT, np.ones(len(vertices), bool))
    np.testing.assert_array_equal(vertices, before)


@pytest.mark.parametrize("factor", [0.0, 1000.0])
def test_no_wish_moves_a_vertex_far(factor):
    vertices, faces, owners, wanted = simplified(ball((24, 24, 24), (12, 12, 12), 9))
    before = vertices.copy()
    restore(vertices, faces, owners, factor * wanted, UNIT, np.zeros(len(vertices), bool))
    moved = np.linalg.norm((vertices - before) * UNIT, axis=1)
    assert moved.max() == pytest.approx(ROUNDS * MAX_PUSH, abs=ROUNDS / VOXEL)
