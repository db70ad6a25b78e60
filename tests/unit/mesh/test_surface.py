import numpy as np
import pytest
import trimesh

from manifold import assert_manifold
from snakemesh.halo import halo_voxels
from snakemesh.mesh import surface
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.surface import extract_surfaces
from surfaces import ball, canonical, noise, solid, voronoi


def extracted(labels, origin=(0, 0, 0), n_iter=0, first_voxel=(0, 0, 0)):
    """For each label its triangles (M, 3, 3) in 1/4096 voxel.

    Checks that the surface of every label is closed and manifold.
    """
    found = {}
    for batch in extract_surfaces(compact_labels(labels), origin, n_iter, first_voxel):
        assert batch.vertices.dtype == batch.faces.dtype == np.int32
        for i, label in enumerate(batch.labels.tolist()):
            faces = batch.faces[batch.face_starts[i] : batch.face_starts[i + 1]]
            mesh = trimesh.Trimesh(batch.vertices, faces, process=False)
            assert mesh.is_watertight and mesh.is_winding_consistent
            assert_manifold(faces)
            assert label not in found
            found[label] = batch.vertices[faces]
    return found


# -- where surfaces are -------------------------------------------------------------------------


@pytest.mark.parametrize("n_iter", [0, 5])
def test_a_box_is_centred_where_its_voxels_are(n_iter):
    labels = np.zeros((20, 24, 30), np.uint16)
    labels[3:9, 8:19, 7:21] = 9
    triangles = extracted(labels, (1, 2, 4), n_iter)[9]
    mesh = solid(triangles, [1 / VOXEL_STEPS] * 3)
    begin, end = np.array([7 - 4, 8 - 2, 3 - 1]), np.array([21 - 4, 19 - 2, 9 - 1])
    np.testing.assert_allclose(mesh.center_mass, (begin + end) / 2, atol=0.03)
    np.testing.assert_allclose(mesh.bounds, [begin, end], atol=0.1 if n_iter else 0.03)
    assert mesh.volume == pytest.approx(np.prod(end - begin), rel=0.05)


@pytest.mark.parametrize("n_iter", [0, 5])
def test_a_ball_keeps_its_place_and_volume(n_iter):
    labels = ball((31, 33, 35), (14, 16, 17.5), 11)
    mesh = solid(extracted(labels, n_iter=n_iter)[1], [1 / VOXEL_STEPS] * 3)
    np.testing.assert_allclose(mesh.center_mass, (18, 16.5, 14.5), atol=0.005)
    assert mesh.volume == pytest.approx(labels.sum(), rel=0.01)


def test_smoothing_makes_a_ball_rounder():
    labels = ball((31, 31, 31), (15, 15, 15), 11)
    off = []
    for n_iter in (0, 5):
        mesh = solid(extracted(labels, n_iter=n_iter)[1] - int(15.5 * VOXEL_STEPS))
        outward = mesh.triangles_center / np.linalg.norm(mesh.triangles_center, axis=1)[:, None]
        off.append(np.degrees(np.arccos((mesh.face_normals * outward).sum(axis=1))).mean())
    assert off[1] < 0.6 * off[0]


@pytest.mark.parametrize("n_iter", [0, 2])
def test_every_label_is_closed_and_holds_its_voxels_up_to_the_edge_of_the_array(n_iter):
    labels = voronoi((30, 35, 40), 25, seed=1)
    found = extracted(labels, n_iter=n_iter)
    counts = dict(zip(*map(np.ndarray.tolist, np.unique(labels, return_counts=True)), strict=True))
    del counts[0]
    assert list(found) == list(counts)
    for label, triangles in found.items():
        volume = solid(triangles, [1 / VOXEL_STEPS] * 3).volume
        assert volume == pytest.approx(counts[label], rel=0.03)


def test_labels_of_any_width_in_batches(monkeypatch):
    labels = np.zeros((12, 12, 12), np.uint64)
    ids = [1, 3, 2**31, 2**63, 2**64 - 1]
    for i, label in enumerate(reversed(ids)):
        labels[2 * i + 1, 2:6, 2 * i + 1] = label
    whole = list(extract_surfaces(compact_labels(labels), (0, 0, 0), 1))
    assert [batch.labels.tolist() for batch in whole] == [ids]
    monkeypatch.setattr(surface, "BATCH_FACES", int(whole[0].dense.sum()) // 2)
    batches = list(extract_surfaces(compact_labels(labels), (0, 0, 0), 1))
    assert [batch.labels.tolist() for batch in batches] == [ids[:3], ids[3:]]
    joined = np.concatenate([batch.vertices[batch.faces] for batch in batches])
    np.testing.assert_array_equal(joined, whole[0].vertices[whole[0].faces])


def test_background_has_no_surface():
    assert list(extract_surfaces(compact_labels(np.zeros((5, 5, 5), np.uint8)), (0, 0, 0), 5)) == []


def not_merged(vertices, quads, clusters, leaders):
    return vertices, np.arange(len(vertices), dtype=np.int32)


# -- triangles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_iter", [0, 3])
def test_quads_are_split_along_their_shorter_diagonal(n_iter, monkeypatch):
    monkeypatch.setattr(surface, "merge_vertices", not_merged)
    labels = voronoi((12, 12, 12), 9, seed=1)
    assert len(label_nets(compact_labels(labels)).necks) == 0  # test_necks.py has quads at necks
    (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), n_iter)
    pairs = found.vertices[found.faces].astype(np.int64).reshape(-1, 2, 3, 3)
    # both triangles begin on the diagonal: a b c and a c d
    a, b, c, d = pairs[:, 0, 0], pairs[:, 0, 1], pairs[:, 0, 2], pairs[:, 1, 2]
    np.testing.assert_array_equal(pairs[:, 1, :2], np.stack([a, c], axis=1))
    assert (((a - c) ** 2).sum(axis=1) <= ((b - d) ** 2).sum(axis=1)).all()


def test_bodies_that_touch_share_the_triangles_between_them():
    labels = np.ones((9, 10, 11), np.uint8)
    labels[4:, :6] = 2
    labels[6:, 8:, 3:] = 2
    found = extracted(labels)
    inner = []
    for label in (1, 2):
        flat = found[label].reshape(len(found[label]), -1)
        kept = found[label][(flat % VOXEL_STEPS != 0).any(axis=1)]
        corners = np.sort(canonical(kept), axis=1)
        inner.append({tuple(t) for t in corners.tolist()})
    assert len(inner[0] & inner[1]) > 20


# -- seams --------------------------------------------------------------------------------------


def touching(triangles, begin, end):
    """The triangles that touch a box. begin, end: x y z in voxels."""
    low, high = triangles.min(axis=1), triangles.max(axis=1)
    begin, end = np.array(begin) * VOXEL_STEPS, np.array(end) * VOXEL_STEPS
    return triangles[((high >= begin) & (low <= end)).all(axis=1)]


def needed_halo(labels, begin, end):
    """The least halo with which the box from begin to end has its surface, without smoothing."""

    def box_of(margin):
        box = tuple(slice(b - margin, e + margin) for b, e in zip(begin, end, strict=True))
        part = np.ascontiguousarray(labels[box])
        (found,) = extract_surfaces(
            compact_labels(part), (margin,) * 3, 0, tuple((begin - margin).tolist())
        )
        triangles = found.vertices[found.faces]
        starts = zip(found.labels.tolist(), found.face_starts, found.face_starts[1:], strict=False)
        return {
            label: canonical(touching(triangles[first:last], [0, 0, 0], (end - begin)[::-1]))
            for label, first, last in starts
        }

    expected = box_of(8)
    for margin in range(7, 0, -1):
        found = box_of(margin)
        if any(
            not np.array_equal(found.get(label, ()), t) for label, t in expected.items() if len(t)
        ):
            return margin + 1
    return 1


def test_without_smoothing_a_halo_of_five_voxels_is_needed_and_enough():
    needed = []
    for seed in range(12):
        labels = np.kron(noise((11, 11, 11), [1, 2, 6][seed % 3], seed), np.ones((2, 2, 2), int))
        begin = 8 + np.array([seed & 1, seed >> 1 & 1, seed >> 2 & 1])
        needed.append(needed_halo(labels.astype(np.uint32), begin, begin + 4))
    assert max(needed) == 5 == halo_voxels(0) - 2


@pytest.mark.parametrize("n_iter", [0, 1, 5])
@pytest.mark.parametrize("labels_of", [noise, voronoi])
def test_arrays_that_overlap_give_the_same_integers(labels_of, n_iter):
    shape, begin, end = np.array([44, 43, 48]), np.array([19, 18, 18]), np.array([25, 23, 28])
    labels = labels_of(shape, 6, 3)
    whole = extracted(labels, n_iter=n_iter)
    margin = halo_voxels(n_iter)
    box = tuple(slice(b - margin, e + margin) for b, e in zip(begin, end, strict=True))
    part = extracted(np.ascontiguousarray(labels[box]), [margin] * 3, n_iter, begin - margin)
    offset = begin[::-1]
    seen = 0
    for label, triangles in whole.items():
        expected = touching(triangles - offset * VOXEL_STEPS, [0, 0, 0], (end - begin)[::-1])
        found = touching(part.get(label, triangles[:0]), [0, 0, 0], (end - begin)[::-1])
        np.testing.assert_array_equal(canonical(found), canonical(expected))
        seen += len(expected)
    assert seen > 100
