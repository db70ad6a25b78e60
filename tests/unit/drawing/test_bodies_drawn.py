"""Which bodies are drawn, and at which LOD, so that a picture stays cheap."""

import numpy as np

from snakemesh.drawing.bodies import finest_lod, size_at, together, with_most_lods
from snakemesh.meshes.stored_meshes import StoredMesh
from snakemesh.multires.manifests import Manifest


def stored(label, *sizes):
    """A mesh whose LODs have so many bytes, in two fragments each."""
    parts = tuple(np.array([n - n // 3, n // 3]) for n in sizes)
    cells = tuple(np.zeros((2, 3), int) for _ in sizes)
    return StoredMesh(label, Manifest(*np.ones((3, 3)), cells, parts), "0.shard", 0)


def test_the_finest_lod_that_fits():
    large, small = stored(1, 900, 200, 50), stored(2, 90, 20)
    assert [size_at(small, lod) for lod in range(3)] == [90, 20, 20]
    assert finest_lod([large, small], 990) == 0
    assert finest_lod([large, small], 989) == 1
    assert finest_lod([large, small], 70) == 2
    assert finest_lod([large, small], 69) is None


def test_fewer_bodies_where_the_coarsest_lod_is_too_much():
    meshes = [stored(label, 100, 40) for label in range(8)]
    assert together(meshes, 800) == (8, 0)
    assert together(meshes, 320) == (8, 1)
    assert together(meshes, 319) == (4, 1)
    assert together(meshes, 100) == (2, 1)
    assert together(meshes, 79) == (1, 1)
    assert together(meshes, 39) == (0, 0)
    assert together([], 100) == (0, 0)


def test_the_body_for_all_lods_is_a_typical_one():
    ball, thin, sheet = stored(1, 10, 5, 2), stored(2, 20, 5, 2), stored(3, 60, 5, 2)
    few, huge = stored(4, 20, 5), stored(5, 2000, 50, 20, 10)
    meshes = [few, sheet, ball, huge, thin]
    assert with_most_lods(meshes, [1.0] * 5, 100) is thin
    assert with_most_lods(meshes, [1.0] * 5, 3000) is huge
    assert with_most_lods(meshes, [1.0] * 5, 9) is None
