"""Mean curvature of labels in volumes, from shards of several kinds, next to another reader's."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

import in_process
from formats import Placed, write_zarr
from snakemesh.errors import UserError
from snakemesh.job_records import Sharding
from snakemesh.measure.curvature import measure_shard
from snakemesh.multires.documents import multires_info, write_json
from snakemesh.plan.jobs import curvature_job, verify_job
from snakemesh.verify.checks import to_nm, welded
from snakemesh.verify.curvature import mean_curvature, read_label
from snakemesh.verify.reader import read_meshes
from surfaces import voronoi

CORNER_NM = (1000, 2000, 3000)


def run(root, labels, voxel_nm, corner_nm=CORNER_NM, **changes):
    """The plan and the `multires` folder of a run without levels of its own, in one shard."""
    path = write_zarr(root / "volume.zarr", [Placed(labels, voxel_nm, corner_nm, (32, 32, 32))])
    config = {"input_path": path, "output_directory": str(root / "out"), "num_lods": 1}
    plan = in_process.planned(config | changes)
    return plan, in_process.mesh(plan)


def measured(plan, multires, labels):
    """CURVATURE of labels, without the `info` that a run writes only later."""
    (multires / "info").unlink(missing_ok=True)
    names = np.unique(labels[labels > 0]).astype(np.uint64)
    return measure_shard(str(multires), names, curvature_job(plan))


def grid(shape, voxel_nm):
    """Places of voxels from the middle of a volume, nm, z y x."""
    axes = ((np.arange(n) - (n - 1) / 2) * side for n, side in zip(shape, voxel_nm, strict=True))
    return np.meshgrid(*axes, indexing="ij", sparse=True)


@pytest.mark.parametrize("voxel_nm", [(8, 8, 8), (20, 8, 8)], ids=["cubes", "anisotropic"])
def test_a_ball_in_several_cells(tmp_path, voxel_nm):
    radius = 160
    z, y, x = grid((56 * 8 // voxel_nm[0], 56, 56), voxel_nm)
    labels = (z**2 + y**2 + x**2 <= radius**2).astype(np.uint32)
    (row,) = measured(*run(tmp_path, labels, voxel_nm, cell_size=32), labels)
    assert row["curvature"] == pytest.approx(1 / radius, rel=0.01)
    assert row["curvature_sd"] < 0.15 / radius


def test_a_rod_from_end_to_end_of_the_volume(tmp_path):
    radius, shape = 80, (64, 40, 40)
    _, y, x = grid(shape, (8, 8, 8))
    labels = np.broadcast_to(y**2 + x**2 <= radius**2, shape).astype(np.uint32)
    (row,) = measured(*run(tmp_path, labels, (8, 8, 8)), labels)
    assert row["curvature"] == pytest.approx(1 / (2 * radius), rel=0.03)


@pytest.fixture(scope="module")
def dense():
    return voronoi((40, 70, 60), 24, 3, (20, 8, 8)).astype(np.uint64)


@pytest.fixture(scope="module")
def parts(tmp_path_factory, dense):
    """In one shard: the plan, the folder, and what is measured."""
    plan, multires = run(tmp_path_factory.mktemp("parts"), dense, (20, 8, 8), cell_size=32)
    return plan, multires, measured(plan, multires, dense)


def integral(solid):
    """Of mean curvature, but for edges of faces without area, which have no normal."""
    signs = np.where(solid.face_adjacency_convex, 1, -1)
    a, b = solid.vertices[solid.face_adjacency_edges.T]
    parts = np.linalg.norm(b - a, axis=1) * solid.face_adjacency_angles * signs / 2
    return parts[(solid.area_faces[solid.face_adjacency] > 1e-6).all(axis=1)].sum()


def test_it_is_that_of_the_meshes(parts):
    """Of which another reader and trimesh integrate what does not lie at the ends."""
    plan, multires, rows = parts
    write_json(multires / "info", multires_info(plan.sharding, 8, plan.grid.base_nm))
    meshes = {mesh.label: mesh for mesh in read_meshes(multires)}
    assert sorted(meshes) == rows["label"].tolist()
    lower = np.array(plan.grid.origin_nm)
    upper, reach = lower + [60 * 8, 70 * 8, 40 * 20], np.array([16, 16, 40])
    for label, mean, sd in rows.tolist():
        vertices, faces = welded(meshes[label], 0)
        points = to_nm(meshes[label], 0, vertices)
        near = np.concatenate([points <= lower + reach, points >= upper - reach], axis=1)
        is_inner = ~near[faces].all(axis=1).any(axis=1)
        solid = trimesh.Trimesh(points, faces[is_inner], process=False)
        assert mean == pytest.approx(integral(solid) / solid.area, rel=1e-5) and sd > 0


@pytest.mark.parametrize("corner_nm", [CORNER_NM, (8e10, -8e11, 12)], ids=["near", "far"])
def test_verification_finds_the_same(tmp_path, corner_nm):
    """Also of flat walls between the ends of the volume, where hardly any curvature is left."""
    labels = voronoi((40, 70, 60), 24, 3).astype(np.uint64)
    labels[:12, 30:, 30:], labels[:, :8], labels[4:8, 8:, :30] = 98, 99, 97
    plan, multires = run(tmp_path, labels, (8, 8, 8), corner_nm, cell_size=32)
    rows = measured(plan, multires, labels)
    assert np.abs(rows["curvature"]).min() < 1e-4 < 1e-2 < rows["curvature"].max()
    info = multires_info(plan.sharding, plan.grid.scale_nm, plan.grid.base_nm)
    write_json(multires / "info", info)
    job = verify_job(plan)
    for label, mean, _ in rows.tolist():
        again, spare = mean_curvature(read_label(multires, label), job)
        assert mean == pytest.approx(again, rel=1e-6, abs=spare) and spare < 1e-4


def test_shards_do_not_matter(parts, dense, tmp_path):
    plan, _, rows = parts
    plan = replace(plan, sharding=Sharding(2, 1))
    output = replace(plan.settings, output_directory=str(tmp_path))
    plan = replace(plan, settings=output)
    assert measured(plan, in_process.mesh(plan), dense).tobytes() == rows.tobytes()


def test_a_shard_that_is_gone(parts, dense, tmp_path):
    with pytest.raises(UserError, match="has no mesh of"):
        measured(parts[0], tmp_path, dense)
