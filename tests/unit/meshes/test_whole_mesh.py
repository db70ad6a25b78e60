"""Fragments become one mesh, and manifests are read as another reader reads them."""

import dataclasses

import numpy as np
import pytest
import tensorstore as ts

from box_meshes import STEPS, box_fragments
from snakemesh.errors import UserError
from snakemesh.job_records import OctreeGrid
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.part import is_blurred
from snakemesh.meshes.stored_meshes import StoredMesh
from snakemesh.meshes.whole_mesh import _without_pairs, whole_mesh
from snakemesh.multires.manifests import Manifest, parse_manifest
from snakemesh.verify import reader
from snakemesh.verify.checks import volume_and_centroid

CELL_NM = np.array([100.0, 200.0, 400.0])
ORIGIN_NM = np.array([-1000.0, 50.0, 7.0])
OFFSET_NM = np.array([5.0, 0.0, -3.0])
IDENTITY = np.eye(3, 4)
# In steps of the lattice of LOD 1: a box through 2 x 2 x 2 cells.
LOWER, UPPER = np.array([100, 2000, 30]), np.array([70_000, 90_000, 66_000])


def folder_with(transform):
    store = ts.KvStore.open({"driver": "memory"}).result()
    return MeshFolder("nowhere", store, 16, np.asarray(transform, float), None, False)


@pytest.fixture(scope="module")
def box():
    """A box at LOD 1, its only LOD with geometry, and the bytes of its fragments."""
    grid = OctreeGrid(tuple(ORIGIN_NM), tuple(CELL_NM), (1, 2))
    records, blobs = box_fragments(7, 2 * LOWER, 2 * UPPER, 1, grid)
    none = np.empty((0, 3), np.int64)
    sizes = np.array([len(blob) for blob in blobs])
    cells = records["cell"].astype(np.int64)
    offsets = np.array([np.zeros(3), OFFSET_NM])
    manifest = Manifest(CELL_NM, ORIGIN_NM, offsets, (none, cells), (sizes[:0], sizes))
    return StoredMesh(7, manifest, "7", 0), b"".join(blobs)


def corners():
    """The lower and upper corner of the box in nm."""
    return [ORIGIN_NM + OFFSET_NM + 2 * CELL_NM * end / STEPS for end in (LOWER, UPPER)]


def test_a_box_in_eight_cells(box):
    mesh, data = box
    assert len(mesh.manifest.sizes[1]) == 8
    found = whole_mesh(folder_with(IDENTITY), mesh, 1, data)
    np.testing.assert_allclose([found.vertices.min(axis=0), found.vertices.max(axis=0)], corners())
    assert len(np.unique(found.vertices, axis=0)) == len(found.vertices)
    assert np.array_equal(np.unique(found.faces), np.arange(len(found.vertices)))
    volume, _ = volume_and_centroid(found.vertices, found.faces)
    assert volume == pytest.approx(np.prod(corners()[1] - corners()[0]), rel=1e-12)
    assert found.step_nm == pytest.approx(2 * CELL_NM.min() / STEPS)


@pytest.mark.parametrize("flip", [1, -1])
def test_the_transform_of_info(box, flip):
    """Positions go through it, and a mirrored mesh is turned outside out again."""
    transform = [[0, flip * 2, 0, 10], [1, 0, 0, 20], [0, 0, -3, 30]]
    found = whole_mesh(folder_with(transform), *box[:1], 1, box[1])
    ends = np.array([c @ np.array(transform)[:, :3].T + [10, 20, 30] for c in corners()])
    np.testing.assert_allclose(found.vertices.min(axis=0), ends.min(axis=0))
    np.testing.assert_allclose(found.vertices.max(axis=0), ends.max(axis=0))
    volume, _ = volume_and_centroid(found.vertices, found.faces)
    assert volume == pytest.approx(6 * np.prod(corners()[1] - corners()[0]), rel=1e-12)


def test_a_damaged_fragment_is_named(box):
    mesh, data = box
    with pytest.raises(UserError, match="^nowhere/7 has a damaged fragment of label 7 in cell"):
        whole_mesh(folder_with(IDENTITY), mesh, 1, b"x" + data[1:])
    with pytest.raises(UserError, match="vertices lie beyond their cell"):
        whole_mesh(dataclasses.replace(folder_with(IDENTITY), bits=10), mesh, 1, data)


def test_faces_back_to_back():
    faces = np.array([[0, 1, 2], [2, 1, 3], [4, 5, 6], [2, 0, 4], [3, 1, 2], [6, 5, 4]])
    everywhere, nowhere = np.ones(7, bool), np.zeros(7, bool)
    assert _without_pairs(faces, everywhere).tolist() == faces[[0, 3]].tolist()
    assert _without_pairs(faces, nowhere).tolist() == faces.tolist()
    only = np.array([1, 1, 1, 1, 0, 0, 0], bool)
    assert _without_pairs(faces, only).tolist() == faces[[0, 2, 3, 5]].tolist()


def test_vertices_that_float32_cannot_tell_apart():
    near = np.array([[0, 0, 0], [0.01, 0, 0], [0, 1, 0]])
    assert not is_blurred(near, 0.01)
    assert is_blurred(near + 1e6, 0.01)
    assert not is_blurred(100 * near + 1e6, 0.01)


def words_of(counts):
    """A manifest of some LODs with so many nodes each, of numbers that differ."""
    lods = len(counts)
    floats = np.arange(1, 7 + 4 * lods, dtype="<f4").view("<u4")
    nodes = np.arange(100, 100 + 4 * sum(counts))
    return np.concatenate([floats[:6], [lods], floats[6:], counts, nodes]).astype("<u4")


@pytest.mark.parametrize("counts", [[], [1], [3, 0, 2]])
def test_manifests_as_another_reader_reads_them(counts):
    data = words_of(counts).tobytes()
    ours, theirs = parse_manifest(data), reader.parse_manifest(data)
    for name in ("cell_nm", "origin_nm", "vertex_offsets", "cells", "sizes"):
        np.testing.assert_equal(getattr(ours, name), getattr(theirs, name))
    for cut in range(len(data)):
        with pytest.raises(ValueError, match="manifest"):
            parse_manifest(data[:cut])
    with pytest.raises(ValueError, match="manifest"):
        parse_manifest(data + b"more")
