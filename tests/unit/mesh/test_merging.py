import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifold import assert_manifold
from snakemesh.mesh import merging
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.smoothing import smooth
from snakemesh.mesh.surface import extract_surfaces
from surfaces import ball, dense, noise, solid, voronoi


def euler(faces):
    """Vertices less edges plus faces."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return len(np.unique(faces)) - len(np.unique(edges, axis=0)) + len(faces)


def by_label(surfaces):
    starts = surfaces.face_starts
    return [surfaces.faces[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]


def assert_same_topology(labels, n_iter, parity):
    """Assert that merged surfaces are manifolds as the dense ones are, label by label.

    Returns the numbers of faces before and after.
    """
    vertices, faces, owners = dense(labels, n_iter, VOXEL_STEPS)
    (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), n_iter, parity)
    for owner, merged in enumerate(by_label(found)):
        assert_manifold(merged)
        assert euler(merged) == euler(faces[owners == owner])
    assert found.dense.sum(dtype=float) == pytest.approx(len(faces), rel=1e-5)
    assert found.dense.min() >= 1
    return len(faces), len(found.faces)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 3),
    st.sampled_from([0, 2]),
    st.tuples(*[st.integers(0, 1)] * 3),
)
def test_merging_keeps_the_topology_of_blobs(seed, n_labels, n_iter, parity):
    rng = np.random.default_rng(seed)
    # coarse noise made finer: surfaces that are flat here and there, and touch anyhow
    coarse = rng.integers(0, n_labels + 1, (4, 5, 4))
    labels = np.kron(coarse, np.ones((3, 2, 3), int)).astype(np.uint32)
    labels[rng.random(labels.shape) < 0.03] = 1
    assert_same_topology(labels, n_iter, parity)


@pytest.mark.parametrize("labels_of", [noise, voronoi])
@pytest.mark.parametrize("n_iter", [0, 5])
def test_merging_keeps_the_topology(labels_of, n_iter):
    before, after = assert_same_topology(labels_of((40, 41, 42), 6, 2), n_iter, (0, 1, 0))
    assert after < (0.62 if labels_of is voronoi else 0.999) * before


def test_everything_that_may_be_merged_is_still_a_manifold(monkeypatch):
    def always(quadrics, places):
        return np.ones(len(places), bool)

    monkeypatch.setattr(merging, "_fit", always)
    for seed in range(3):
        assert_same_topology(voronoi((30, 31, 32), 40, seed), 1, (1, 0, 1))
        assert_same_topology(noise((12, 12, 12), 2, seed), 0, (0, 0, 0))


def test_a_ball_stays_where_it_is():
    labels = ball((48, 48, 48), (23.2, 24.4, 23.9), 18.3)
    (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), 5)
    centre = (np.array([23.9, 24.4, 23.2]) + 0.5) * VOXEL_STEPS
    radius = np.linalg.norm(found.vertices - centre, axis=1) / VOXEL_STEPS
    dense_vertices, dense_faces, _ = dense(labels, 5, VOXEL_STEPS)
    dense_radius = np.linalg.norm(dense_vertices - centre, axis=1) / VOXEL_STEPS
    assert len(found.faces) < 0.4 * len(dense_faces)
    assert abs(radius.mean() - dense_radius.mean()) < 0.02
    assert radius.std() < 1.1 * dense_radius.std()
    volume = solid(found.vertices[found.faces]).volume
    assert volume == pytest.approx(solid(dense_vertices[dense_faces]).volume, rel=0.005)


def test_a_merged_vertex_is_where_the_quads_around_it_are_nearest():
    labels = ball((40, 40, 40), (20, 20, 20), 15)
    nets = label_nets(compact_labels(labels))
    smooth(nets.vertices, nets.quads, 5)
    vertices, rows = merging.merge_vertices(nets.vertices, nets.quads, nets.clusters, nets.leaders)
    alone = np.bincount(rows)[rows] == 1
    np.testing.assert_array_equal(vertices[rows[alone]], nets.vertices[alone])
    corners = nets.vertices[nets.quads] / VOXEL_STEPS
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    middles = corners.mean(axis=1)
    checked = 0
    for row in np.flatnonzero(np.bincount(rows) > 1)[::29]:
        # a quad counts once for each of its corners that is in the cluster
        times = (rows[nets.quads] == row).sum(axis=1)
        mine = times > 0
        area = np.linalg.norm(normals[mine], axis=1)
        unit = normals[mine] / area[:, None]
        weight = area * times[mine]

        def cost(at, unit=unit, middle=middles[mine], weight=weight):
            return (weight * ((at - middle) * unit).sum(axis=1) ** 2).sum() / weight.sum()

        at = vertices[row] / VOXEL_STEPS
        assert cost(at) <= merging.MAX_ERROR**2
        mean = nets.vertices[rows == row].mean(axis=0) / VOXEL_STEPS
        assert cost(at) <= cost(mean) + 1e-6
        checked += 1
    assert checked > 20


def test_nothing_is_merged_where_bodies_are_small():
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[4, 4, 4] = 1
    for parity in ((0, 0, 0), (1, 1, 1), (1, 0, 1)):
        (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), 0, parity)
        assert len(found.faces) == 12
