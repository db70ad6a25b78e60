"""Meshes of a volume that lies far away are those of one at 0, moved: to 0.01 voxel, for all.

Read back by the reader of verification, by CloudVolume, and as exported files by trimesh.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trimesh
from cloudvolume import CloudVolume

import in_process
from formats import Placed, write_zarr
from snakemesh.cli.program import main
from snakemesh.multires.documents import write_json
from snakemesh.verify.checks import to_nm, welded
from snakemesh.verify.reader import read_meshes
from surfaces import voronoi
from verifying import verdict

VOXEL_NM = np.array([20, 8, 5.24])  # z y x
LABELS = voronoi((30, 50, 60), 9, 3, VOXEL_NM)
# By name, the corner of the volume: z y x in nm.
PLACES = {
    "at 0": (0, 0, 0),
    "1 mm": (1e6, 1e6 + 0.3, 1e6 + 37),
    "1 m": (1e9, 1e9 + 37.3, 24),
    "-1 m": (-1e9 - 20, -1e9 - 0.7, -1e9),
    "10 m": (1e10 + 12, -1e10, 1e10 + 600.25),
}
ROI_VOXELS = np.array([[0, 0, 0], [30, 50, 43]])


@dataclass(frozen=True)
class Far:
    """A finished output. corner: of the volume, x y z in nm."""

    corner: np.ndarray
    config: dict
    multires: Path

    @property
    def transform(self) -> list[float]:
        return json.loads((self.multires / "info").read_text())["transform"]


def made(folder: Path, corner) -> Far:
    volume = Placed(LABELS, tuple(VOXEL_NM), corner, (32, 32, 32))
    config = {
        "input_path": write_zarr(folder / "volume.zarr", [volume]),
        "output_directory": str(folder / "out"),
        "cell_size": 32,
        "num_lods": 2,
        "roi": (corner + ROI_VOXELS * VOXEL_NM).tolist(),
    }
    plan = in_process.planned(config)
    in_process.build_pyramid(plan)
    multires = in_process.mesh(plan)
    return Far(np.array(corner[::-1]), config | {"output_directory": str(folder / "v")}, multires)


@pytest.fixture(scope="module")
def near(tmp_path_factory) -> Far:
    return made(tmp_path_factory.mktemp("near"), PLACES["at 0"])


@pytest.fixture(scope="module", params=list(PLACES)[1:])
def far(request, tmp_path_factory) -> Far:
    return made(tmp_path_factory.mktemp("far"), PLACES[request.param])


def assert_moved(found: np.ndarray, at_0: np.ndarray, far: Far) -> None:
    """Assert that points, (n, 3) x y z in nm, are those of the volume at 0 to 0.01 voxel."""
    assert found.shape == at_0.shape
    off = np.abs(found - far.corner - at_0) / VOXEL_NM[::-1]
    assert off.max() < 0.01


def test_nothing_fails(near, far):
    for output in (near, far):
        found = verdict(output.config, output.multires)
        assert found.failures.named == {}
        assert found.rows["checked"].all() and np.isfinite(found.rows["volume_error"]).all()


def test_meshes_are_those_at_0(near, far):
    assert near.transform == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    pairs = list(zip(read_meshes(far.multires), read_meshes(near.multires), strict=True))
    assert len(pairs) > 5
    for mesh, at_0 in pairs:
        assert mesh.num_lods == at_0.num_lods
        for lod in range(mesh.num_lods):
            (vertices, faces), (expected, faces_at_0) = welded(mesh, lod), welded(at_0, lod)
            assert np.array_equal(faces, faces_at_0)
            assert_moved(to_nm(mesh, lod, vertices), to_nm(at_0, lod, expected), far)


def test_the_table_has_true_positions(near, far):
    tables = [pq.read_table(output.multires / "segments.parquet") for output in (far, near)]
    for name in ("min", "max", "centroid"):
        columns = [[table[f"{axis}_{name}"].to_numpy() for axis in "xyz"] for table in tables]
        assert_moved(*(np.stack(column, axis=1) for column in columns), far)


def test_cloudvolume_reads_true_positions(near, far, tmp_path):
    """Fragment by fragment: it rounds whole meshes to 32 bits itself."""
    label = int(read_table(far)["label"][0].as_py())
    vertices = []
    for number, output in enumerate((far, near)):
        root = tmp_path / str(number)
        shutil.copytree(output.multires, root / "multires")
        layer = CloudVolume.create_new_info(
            1, "segmentation", "uint64", "raw", (1, 1, 1), (0, 0, 0), (8, 8, 8)
        )
        write_json(root / "info", layer | {"mesh": "multires"})
        mesh = CloudVolume(f"precomputed://file://{root}", progress=False).mesh
        fragments = mesh.get(label, concat=False)[label]
        vertices.append(np.concatenate([fragment.vertices for fragment in fragments]))
    assert_moved(*vertices, far)


def read_table(output: Far):
    return pq.read_table(output.multires / "segments.parquet")


@pytest.mark.parametrize("form", ["ply", "obj", "glb"])
@pytest.mark.parametrize("scene", [True, False])
def test_exported_meshes_are_in_place(near, far, form, scene, tmp_path):
    """A GLB holds 32-bit positions, and says beside them where the mesh is, in metres."""
    label = str(read_table(far)["label"][0].as_py())
    bounds = []
    for number, output in enumerate((far, near)):
        folder = tmp_path / str(number)
        into = ["--scene", folder / f"all.{form}"] if scene else ["--output", folder]
        arguments = [output.multires, "--ids", label, "--format", form, *into]
        main(["export", *map(str, arguments)])
        (path,) = folder.iterdir()
        found = trimesh.load(path, force="mesh", process=False)
        bounds.append(found.bounds * (1e9 if form == "glb" else 1))
        sizes = (len(found.vertices), len(found.faces))
    assert len(np.unique(found.vertices - found.vertices[0], axis=0)) == sizes[0]
    assert_moved(*bounds, far)


def test_vertices_that_stl_cannot_keep_apart_are_said(far, tmp_path, capsys):
    label = str(read_table(far)["label"][0].as_py())
    said = {}
    for form in ("stl", "glb"):
        arguments = [far.multires, "--ids", label, "--format", form, "--output", tmp_path]
        main(["export", *map(str, arguments)])
        said[form] = "fall together" in capsys.readouterr().out
    assert said == {"stl": abs(far.corner).max() > 1e8, "glb": False}


def test_a_mesh_beside_its_voxels_is_found(far, tmp_path):
    """By a fiftieth of a voxel, which no volume or centroid would give away."""
    multires = tmp_path / "multires"
    shutil.copytree(far.multires, multires)
    info = json.loads((multires / "info").read_text())
    info["transform"][11] += 0.4
    write_json(multires / "info", info)
    found = verdict(far.config, multires)
    assert "cells" in found.failures.count
    assert "a grid that begins at" in found.failures.named["cells"][0]


@pytest.mark.parametrize(
    "column", ["x_min", "y_max", "z_centroid", "major_axis", "minor_axis", "border_voxels"]
)
def test_a_position_in_the_table_that_is_a_voxel_off_is_found(far, column, tmp_path):
    multires = tmp_path / "multires"
    shutil.copytree(far.multires, multires)
    table = read_table(far)
    number = table.column_names.index(column)
    right = table[column].to_numpy()
    wrong = pa.array((right + VOXEL_NM[2]).astype(right.dtype))
    table = table.set_column(number, table.schema.field(column), wrong)
    pq.write_table(table, multires / "segments.parquet")
    named = verdict(far.config, multires).failures.named
    assert list(named) == ["properties"]
    assert f"segments.parquet has {column}" in named["properties"][0]
