"""Whole runs on the example and on the test volume, judged by other readers of the format."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
import trimesh
import zarr
from cloudvolume import CloudVolume

from running import digests, fails, finish, planned, succeeds
from small_blocks import copy_with_small_blocks
from snakemesh.cost.machine_speed import machine
from snakemesh.verify.checks import (
    area,
    edges_of,
    problems,
    to_nm,
    volume_and_centroid,
    welded,
)
from snakemesh.verify.reader import read_data, read_entries, read_info, read_mesh, read_meshes
from snakemesh.view.output import read_output

RULES = {
    "example",
    "pyramid_levels",
    "pyramid_super_chunk",
    "mesh_block",
    "mesh_blocks_done",
    "shard",
    "multires_index",
    "cleanup",
}

PYRAMID = {"pyramid_levels", "pyramid_super_chunk"}


def assert_sound(directory, labels, lods):
    """Assert that every label is there, closed at every LOD, and breaks no rule of the format.

    Every edge has two faces, and trimesh agrees, so that others may take the volume for granted.
    """
    found, opened, crowded = Counter(), Counter(), Counter()
    meshes = 0
    for mesh, label in zip(read_meshes(directory), labels, strict=True):
        assert mesh.label == label
        found.update(problems(mesh))
        for lod in range(mesh.num_lods):
            vertices, faces = welded(mesh, lod)
            edges = edges_of(faces)
            opened[lod] += len(edges.open)
            crowded[lod] += edges.crowded
            is_manifold = not len(edges.open) and not edges.crowded
            assert trimesh.Trimesh(vertices, faces, process=False).is_watertight == is_manifold
        meshes += 1
    assert not found.total(), found
    assert opened.total() == 0, opened
    assert crowded.total() == 0, crowded
    assert meshes > 40 and len(opened) == lods


def assert_exported(directory, labels, repository):
    """Assert that trimesh opens every label as a closed mesh, of the volume in the table."""
    line = [sys.executable, "-m", "snakemesh", "export", directory.parent, "--ids", "all"]
    line += ["--output", "exported"]
    subprocess.run(line, cwd=repository, check=True)
    table = pq.read_table(directory / "segments.parquet").to_pydict()
    assert table["label"] == labels
    for label, volume in zip(labels, table["volume"], strict=True):
        mesh = trimesh.load(repository / "exported" / f"{label}.ply")
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(volume, rel=1e-6)


def test_example_as_configured(tmp_path):
    """What a user does first: look at the plan, before there is any volume, and run it."""
    repository = copy_with_small_blocks(tmp_path / "repository")
    plan = planned(repository, {})
    assert plan.keys() == RULES and plan["example"] == 1 and plan["mesh_block"] > 1
    directory = finish(repository, {"output_directory": repository / "results" / "example"})
    speed = json.loads((directory.parent / "snakemesh.json").read_text())["speed"]
    logs = (directory.parent / "logs" / "mesh_block").rglob("*.log")
    cpu_s = sum(float(re.search(r" cpu_s (\S+)", log.read_text())[1]) for log in logs)
    # about 5 s are expected of these jobs, on whatever machine
    assert speed["machine"] == machine() and 2 < cpu_s / speed["cpu_s_for_expected_s"] < 12
    voxels = zarr.open_array(repository / "example" / "segmentation.zarr" / "s0", mode="r")
    labels = np.unique(voxels[:])[1:].tolist()
    assert_sound(directory, labels, 3)
    assert_exported(directory, labels, repository)
    assert planned(repository, {}) == {}

    one = {"output_directory": repository / "results" / "lod", "num_lods": 1}
    assert planned(repository, one).keys() == RULES - PYRAMID - {"example"}
    assert_sound(finish(repository, one), labels, 1)


def test_every_label_is_sound(multires, volume):
    assert_sound(multires, np.unique(volume.labels)[1:].tolist(), 3)


def test_meshes_lie_where_the_voxels_are(multires, volume):
    """At every LOD, the larger labels have the volume and centroid of their voxels."""
    voxel_nm, corner = np.array(volume.voxel_nm), np.array(volume.corner_nm)
    ratios, offsets = {}, {}
    for mesh in read_meshes(multires):
        where = np.argwhere(volume.labels == mesh.label)
        if len(where) < 2000:
            continue
        expected = corner + (where.mean(axis=0) + 0.5) * voxel_nm
        for lod in range(mesh.num_lods):
            vertices, faces = welded(mesh, lod)
            size, centroid = volume_and_centroid(to_nm(mesh, lod, vertices), faces)
            ratios.setdefault(lod, []).append(size / len(where) / np.prod(voxel_nm))
            offsets.setdefault(lod, []).append((centroid[::-1] - expected) / voxel_nm)
    assert sorted(ratios) == [0, 1, 2]
    for lod, least in enumerate([0.99, 0.96, 0.95]):
        assert least < np.median(ratios[lod]) < 2 - least
    for lod, most in enumerate([0.05, 0.1, 0.3]):
        assert np.all(np.abs(np.median(offsets[lod], axis=0)) < most), offsets[lod]


def test_cloudvolume_reads_the_same(multires, tmp_path):
    """A layer only has to name the directory as its meshes."""
    info = CloudVolume.create_new_info(
        1, "segmentation", "uint64", "raw", (8, 8, 20), (0, 0, 0), (60, 80, 70), mesh="multires"
    )
    (tmp_path / "info").write_text(json.dumps(info))
    (tmp_path / "multires").symlink_to(multires)
    layer = CloudVolume(f"precomputed://file://{tmp_path}", progress=False)
    compared = set()
    for entry in list(read_entries(multires).values())[::4]:
        mesh = read_mesh(entry)
        for lod in range(mesh.num_lods):
            theirs = layer.mesh.get(mesh.label, lod=lod)[mesh.label]
            vertices, faces = welded(mesh, lod)
            assert len(theirs.faces) == len(faces)
            assert len(theirs.vertices) == sum(len(f.positions) for f in mesh.fragments[lod])
            points = to_nm(mesh, lod, vertices)
            assert np.allclose(theirs.vertices.min(axis=0), points.min(axis=0), atol=0.01)
            assert np.allclose(theirs.vertices.max(axis=0), points.max(axis=0), atol=0.01)
            volume, _ = volume_and_centroid(points, faces)
            their_volume, _ = volume_and_centroid(theirs.vertices.astype(float), theirs.faces)
            assert their_volume == pytest.approx(volume, rel=1e-4)
            compared.add(lod)
    assert compared == {0, 1, 2}


def test_unsharded_twin(multires, unsharded):
    sharded, files = read_entries(multires), read_entries(unsharded)
    assert "sharding" in read_info(multires) and "sharding" not in read_info(unsharded)
    assert list(sharded) == list(files)
    for label, entry in sharded.items():
        assert read_data(entry) == read_data(files[label])
        ours, theirs = (dataclasses.astuple(e.manifest) for e in (entry, files[label]))
        np.testing.assert_equal(ours, theirs)


def test_the_table_of_all_segments(repository, config, unsharded, volume, table, tmp_path):
    """Voxels and centroids are those of the volume, the rest is what the viewer lists."""
    inline = json.loads((unsharded / "segment_properties" / "info").read_text())["inline"]
    listed = {p["id"]: p["values"] for p in inline["properties"]}
    rows = pq.read_table(unsharded / "segments.parquet").to_pylist()
    assert [str(row["label"]) for row in rows] == inline["ids"]
    for i, (row, mesh) in enumerate(zip(rows, read_meshes(unsharded), strict=True)):
        voxels = np.argwhere(volume.labels == row["label"])
        assert row["voxels"] == len(voxels)
        centroid = volume.corner_nm + (voxels.mean(axis=0) + 0.5) * volume.voxel_nm
        assert [row[f"{axis}_centroid"] for axis in "zyx"] == pytest.approx(centroid.tolist())
        ends = np.array(volume.labels.shape) - 1
        assert row["border_voxels"] == ((voxels == 0) | (voxels == ends)).any(axis=1).sum()
        covariance = np.cov((voxels * volume.voxel_nm).T, ddof=0)
        covariance += np.diag(np.square(volume.voxel_nm) / 12)
        axes = np.sqrt(20 * np.linalg.eigvalsh(covariance))[::-1]
        names = [f"{name}_axis" for name in ("major", "middle", "minor")]
        assert [row[name] for name in names] == pytest.approx(axes.tolist())
        direction = np.array([row[f"{axis}_direction"] for axis in "zyx"])
        assert direction @ covariance @ direction == pytest.approx(axes[0] ** 2 / 20)
        ball = np.cbrt(36 * np.pi * row["volume"] ** 2)
        assert row["sphericity"] == pytest.approx(ball / row["area"])
        vertices, faces = welded(mesh, 0)
        points = to_nm(mesh, 0, vertices)
        assert row["lods"] == mesh.num_lods
        assert row["faces"] == listed["faces"][i] == len(faces)
        assert row["volume"] == pytest.approx(volume_and_centroid(points, faces)[0])
        assert row["area"] == pytest.approx(area(points, faces))
        for axis, name in enumerate("xyz"):
            assert row[f"{name}_min"] == pytest.approx(points[:, axis].min(), abs=0.01)
            assert row[f"{name}_max"] == pytest.approx(points[:, axis].max(), abs=0.01)
        for name in (f"{a}_{end}" for a in "xyz" for end in ("min", "max")):
            assert np.float32(row[name]) == np.float32(listed[name][i])
        assert np.float32(row["volume"] / 1e9) == np.float32(listed["volume_um3"][i])
        assert np.float32(row["area"] / 1e6) == np.float32(listed["area_um2"][i])
    vesicle = next(row for row in rows if row["label"] == 7)
    assert (vesicle["name"], vesicle["synapses"], vesicle["voxels"]) == ("vesicle", 12, 1)
    assert (rows[0]["name"], rows[0]["synapses"]) == (None, None)
    at = inline["ids"].index("7")
    assert (listed["label"][at], listed["synapses"][at]) == ("vesicle", 12)
    assert (listed["label"][-1], listed["synapses"][-1]) == ("axon", 3)
    assert (listed["label"][0], listed["synapses"][0]) == ("", "NaN")

    # fewer segments in the viewer, and colours: nothing but the index changes and is made again
    ours = config(tmp_path / "out", sharded=False, segment_properties_csv=table)
    shutil.copytree(unsharded.parent, tmp_path / "out")
    assert planned(repository, ours) == {}
    fewer = ours | {"max_properties": 5, "segment_colors": "synapses"}
    assert planned(repository, fewer) == {"multires_index": 1, "cleanup": 1}
    said = succeeds(repository, fewer)
    assert f"  table    {tmp_path}/out/multires/segments.parquet of all" in said
    assert "  listed   the 5 largest segments in the viewer (config key max_properties)" in said
    before, after = digests(unsharded), digests(tmp_path / "out" / "multires")
    changed = {str(name) for name in before if before[name] != after[name]}
    kinds = {path.split("/")[0] for path in changed}  # the overview and the points have colours
    assert kinds == {"segment_properties", "snakemesh.json", "overview", "centroids"}
    assert len(after) == len(before)
    assert read_output(tmp_path / "out").segment_colors() == "synapses"
    found = json.loads((tmp_path / "out/multires/segment_properties/info").read_text())["inline"]
    ranked = sorted(rows, key=lambda row: (-row["volume"], row["label"]))[:5]
    assert found["ids"] == [str(label) for label in sorted(row["label"] for row in ranked)]


def test_the_table_of_lods(unsharded):
    """Each row is what a reader of its own finds in the fragments."""
    rows = iter(pq.read_table(unsharded / "lods.parquet").to_pylist())
    unit = read_info(unsharded)["lod_scale_multiplier"]
    for mesh in read_meshes(unsharded):
        for lod in range(mesh.num_lods):
            row = next(rows)
            assert (row["label"], row["lod"]) == (mesh.label, lod)
            vertices, faces = welded(mesh, lod)
            points = to_nm(mesh, lod, vertices)
            assert row["fragments"] == np.count_nonzero(mesh.manifest.sizes[lod])
            assert row["bytes"] == mesh.manifest.sizes[lod].sum()
            assert row["faces"] == len(faces)
            assert row["volume"] == pytest.approx(volume_and_centroid(points, faces)[0])
            assert row["area"] == pytest.approx(area(points, faces))
            # the scale of an LOD is its error, but scales have to grow
            scale = mesh.manifest.scales[lod] * unit
            assert 0 < row["error"] <= scale * (1 + 1e-6)
            assert lod or row["error"] == pytest.approx(scale, rel=1e-6)
    assert next(rows, None) is None


@pytest.mark.parametrize("kind", ["[!s].npy", "lods.npy"])
@pytest.mark.parametrize("is_seen_before", [True, False])
def test_a_summary_that_is_gone_or_damaged(
    repository, config, multires, tmp_path, is_seen_before, kind
):
    """The plan sees what is gone; the job that reads it, what is damaged."""
    ours = config(tmp_path / "out")
    shutil.copytree(multires.parent, tmp_path / "out")
    (summary,) = (tmp_path / "out" / "work" / "shards").glob(f"*{kind}")
    if is_seen_before:
        summary.unlink()
    else:
        summary.write_bytes(summary.read_bytes()[::-1])
    fewer = ours | {"max_properties": 5}
    if not is_seen_before:
        said = fails(repository, fewer)
        assert f"multires_index: {summary} is " in said and "give the same command again" in said
    finish(repository, fewer)
    assert digests(finish(repository, ours)) == digests(multires)


def test_lists_on_the_command_line(repository, config, tmp_path):
    """Lists that Snakemake passes on as text mean the same as in a file."""
    roi = [[1000, 2000, 3000], [1100.5, 2100, 3100]]
    changed = config(tmp_path / "out", roi=roi, target_ids=[1, 2048], use_existing_scales=False)
    assert planned(repository, changed)["mesh_block"] == 3
