import numpy as np
import pytest

from bench.crossing_faces import crossing_faces
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.mesh.pieces import planes_of_tile
from snakemesh.mesh.untangling import untangle
from snakemesh.mesh.volume_ends import volume_ends

# A cell of 16 voxels that ends with the volume, cut into octants.
VOXEL = CELL_STEPS // 16
ENDS = volume_ends(((0.0, 16.0),) * 3, (16,) * 3)
PLANES = planes_of_tile((1, 1, 1), [(None, None)] * 3, True, (CELL_STEPS,) * 3)
GRAIN = np.full(3, VOXEL // 16)


def tube(bends):
    """A closed tube of triangular sections, a quarter of a voxel thick: vertices, faces.

    bends: (n, 3, 3), how far the corners of each section are moved, in voxels.
    """
    n = len(bends)
    angles = 2 * np.pi / 3 * np.arange(3)
    ring = np.stack([0 * angles, np.cos(angles) / 4, np.sin(angles) / 4], axis=1)
    points = ring + np.stack([np.arange(n), 0 * np.arange(n), 0 * np.arange(n)], axis=1)[:, None]
    points += bends
    faces = [[0, 2, 1], [3 * n - 3, 3 * n - 2, 3 * n - 1]]
    for i in range(0, 3 * n - 3, 3):
        for j in range(3):
            a, b = i + j, i + (j + 1) % 3
            faces += [[a, b, b + 3], [a, b + 3, a + 3]]
    vertices = np.rint((points.reshape(-1, 3) + [1.5, 3, 3]) * VOXEL).astype(np.int32)
    return vertices, np.array(faces, np.int32)


def tangled_tube(seed, n=5):
    """A tube whose corners are moved at random: most such tubes run through themselves."""
    rng = np.random.default_rng(seed)
    return tube(rng.uniform(-0.4, 0.4, (n, 3, 3)))


def after(vertices, faces, boxes=None, owners=None):
    moved = vertices.copy()
    n = len(faces)
    owners = np.zeros(n, np.int32) if owners is None else owners
    untangle(
        moved, faces, owners, np.zeros(n, int) if boxes is None else boxes, PLANES, ENDS, GRAIN
    )
    return moved


def crossings(vertices, faces):
    return int(crossing_faces(vertices.astype(np.int64), faces).sum())


def test_tubes_that_run_through_themselves_do_so_no_more():
    before = mended = 0
    for seed in range(60):
        vertices, faces = tangled_tube(seed)
        moved = after(vertices, faces)
        found, left = crossings(vertices, faces), crossings(moved, faces)
        assert left <= found
        assert (moved == vertices).all() or found
        assert np.abs(moved - vertices).max() < VOXEL / 2
        before += found
        mended += found - left
    assert before > 300
    assert mended > 0.8 * before


def test_what_does_not_cross_stays():
    vertices, faces = tube(np.zeros((5, 3, 3)))
    assert crossings(vertices, faces) == 0
    assert (after(vertices, faces) == vertices).all()


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("place", [0, OCTANT_PLANE, CELL_STEPS])
def test_vertices_in_planes_and_ends_stay_and_no_other_comes_there(axis, place):
    for seed in range(20):
        vertices, faces = tangled_tube(seed)
        near = np.sort(vertices[:, axis])[len(vertices) // 2]
        vertices[:, axis] += place - near
        is_on = vertices[:, axis] == place
        # all to one side of the place, as the cut leaves it
        vertices[:, axis] = place + np.abs(vertices[:, axis] - place) * (-1 if place else 1)
        moved = after(vertices, faces)
        assert is_on.any()
        assert (moved[is_on] == vertices[is_on]).all()
        assert ((moved[:, axis] == place) == (vertices[:, axis] == place)).all()
        assert (moved >= 0).all()
        assert (moved <= CELL_STEPS).all()


def test_each_piece_is_looked_at_by_itself():
    """Many pieces at once move as each alone, though they lie in one place."""
    tubes = [tangled_tube(seed) for seed in range(12)]
    alone = [after(*one) for one in tubes]
    n = len(tubes[0][0])
    vertices = np.concatenate([one for one, _ in tubes])
    faces = np.concatenate([one + n * i for i, (_, one) in enumerate(tubes)]).astype(np.int32)
    rows = np.repeat(np.arange(12), len(tubes[0][1]))
    together = after(vertices, faces, rows % 4, (rows // 4).astype(np.int32))
    assert (together == np.concatenate(alone)).all()


def test_no_two_vertices_come_to_share_a_place():
    n_moved = 0
    for seed in range(60):
        vertices, faces = tangled_tube(seed)
        # a vertex of a speck of the same piece wherever the tube's vertices went
        moved = after(vertices, faces)
        goals = moved[(moved != vertices).any(axis=1)]
        speck = np.concatenate([vertices, goals, goals + 1, goals + [1, 2, 3]]).astype(np.int32)
        n, k = len(vertices), len(goals)
        more = n + np.arange(3 * k).reshape(3, k).T
        again = after(speck, np.concatenate([faces, more]).astype(np.int32))
        assert len(np.unique(again, axis=0)) == len(np.unique(speck, axis=0))
        n_moved += k
    assert n_moved > 50
