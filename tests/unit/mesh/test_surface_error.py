"""The estimated error of fragments, against sums one by one and against true distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.surface_error import mean_by_area, of_faces
from snakemesh.mesh.tile import Tile, mesh_tile

RADIUS, SIDE = 40, 96
VOXEL_NM = 8.0
STEPS = 65535


@given(st.integers(0, 1 << 30), st.integers(1, 30), st.integers(0, 60))
def test_each_face_gets_the_error_of_its_piece(seed, n_pieces, n_faces):
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(5 * 16)[:n_pieces])
    squares = rng.random(n_pieces)
    faces = rng.integers(0, 5 * 16, n_faces)
    known = dict(zip(chosen.tolist(), squares.tolist(), strict=True))
    found = of_faces(
        (faces // 16).astype(np.int32),
        faces % 16,
        (chosen // 16).astype(np.int32),
        chosen % 16,
        squares,
    )
    assert found.tolist() == [known.get(face, 0.0) for face in faces.tolist()]


def test_means_over_the_area():
    rng = np.random.default_rng(0)
    vertices = rng.integers(0, 1000, (50, 3)).astype(np.int32)
    faces = rng.integers(0, 50, (80, 3)).astype(np.int32)
    starts, squares, step = np.array([0, 30, 30, 80]), rng.random(80), np.array([8.0, 8.0, 20.0])
    corners = (vertices * step)[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    first, last = slice(0, 30), slice(30, 80)
    expected = [np.average(squares[s], weights=area[s]) for s in (first, last)]
    found = mean_by_area(vertices, faces, starts, squares, step)
    np.testing.assert_allclose(found, [expected[0], 0, expected[1]], rtol=1e-12)


@pytest.mark.parametrize("keep", [0.5, 0.067, 0.02, 0.01])
def test_the_error_of_a_ball_is_its_distance_from_the_true_one(keep):
    """Never less, as real bodies are less smooth, and at most 0.1 voxel more."""
    found, true = ball_errors(0, keep)
    assert true < found < true + 0.1


def test_fewer_faces_have_a_larger_error():
    many, few, fewest = (ball_errors(0, keep)[0] for keep in (0.067, 0.02, 0.005))
    assert few > 1.05 * many and fewest > 1.2 * few


def ball_errors(lod, keep):
    """The error of a simplified ball as its fragments say, and as points on it say, in voxels."""
    z, y, x = np.ogrid[:SIDE, :SIDE, :SIDE]
    middle = SIDE / 2 - 0.3
    inside = (x + 0.5 - middle) ** 2 + (y + 0.5 - middle) ** 2 + (z + 0.5 - middle) ** 2
    labels = (inside <= RADIUS**2).astype(np.uint64)
    tile = Tile(
        lod=lod,
        first_cell=(0, 0, 0),
        n_cells=(1, 1, 1),
        cell_voxels=(SIDE,) * 3,
        cell_nm=(SIDE * VOXEL_NM,) * 3,
        seams=((None, None),) * 3,
        ends=((0, SIDE),) * 3,
    )
    records, blobs, _ = mesh_tile(compact_labels(labels), (0, 0, 0), tile, 5, keep, 9.0)
    points = np.concatenate([spread(blob) for blob in blobs]) * SIDE / STEPS
    distances = np.linalg.norm(points - middle, axis=1) - RADIUS
    mean = np.average(records["square"], weights=records["area"])
    return np.sqrt(mean) / VOXEL_NM, np.sqrt(np.mean(distances**2))


def spread(blob):
    """Points on a fragment, many on a large face: x y z in steps of the lattice."""
    import DracoPy

    mesh = DracoPy.decode(blob)
    corners = np.asarray(mesh.points, float)[mesh.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(area), 20_000, p=area / area.sum())
    weights = rng.dirichlet((1, 1, 1), len(chosen))
    return np.einsum("ni,nij->nj", weights, corners[chosen])
