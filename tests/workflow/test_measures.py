"""Runs that measure voxels and meshes: further columns in the table of segments."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import ndimage

from damaging import flip
from running import digests, fails, finish, planned

BOTH = {"measures": ["components", "thickness"]}
COLUMNS = ["components", "thickness", "thickness_95"]
DOCUMENTS = {"measure_labels": 1, "multires_index": 1, "cleanup": 1}
MEASURING = {"measure_block": 4, **DOCUMENTS}


def test_the_key_measures_voxels_and_meshes_nothing_again(
    repository, config, multires, volume, tmp_path
):
    ours = config(tmp_path / "out")
    shutil.copytree(multires.parent, tmp_path / "out")
    assert planned(repository, ours | BOTH) == MEASURING
    served = finish(repository, ours | BOTH)
    assert planned(repository, ours | BOTH) == {}
    before, after = digests(multires), digests(served)
    changed = {str(name) for name in after if after[name] != before[name]}
    assert changed == {"segments.parquet", "snakemesh.json"} and len(after) == len(before)

    table = pq.read_table(served / "segments.parquet")
    for row in table.to_pylist():
        own = volume.labels == row["label"]
        assert row["components"] == ndimage.label(own, np.ones((3, 3, 3)))[1]
        # a body is at least as thick as on the way from its innermost voxel to the surface
        distance = ndimage.distance_transform_edt(np.pad(own, 1, "edge"), volume.voxel_nm)
        largest = 2 * min(distance.max(), 32 * 8)
        assert 16 <= row["thickness"] <= row["thickness_95"] + 4 <= largest + 8

    # without the key, the columns are gone; one core makes the same bytes
    again = finish(repository, ours)
    assert digests(again) == before and not list((tmp_path / "out/work").glob("measured*"))
    alone = finish(repository, config(tmp_path / "alone", **BOTH), cores=1)
    assert digests(alone) == after
    assert not (tmp_path / "alone/work/measured").exists()


@pytest.mark.parametrize("what", ["table", "block"])
def test_damaged_measures_are_measured_again(repository, config, made, tmp_path, what):
    ours = config(tmp_path / "out", keep_fragments=True, **BOTH)
    served = made(ours)
    before = digests(served)
    work = tmp_path / "out" / "work"
    (table,) = work.glob("measured.*.npy")
    damaged = table if what == "table" else sorted((work / "measured").glob("*.npy"))[1]
    flip(damaged, -3)
    if what == "block":
        table.unlink()
    (served / "segments.parquet").unlink()
    said = fails(repository, ours)
    assert f"{damaged} is not what was written" in said
    assert "Traceback" not in said and not damaged.exists()
    left = DOCUMENTS if what == "table" else {"measure_block": 1, **DOCUMENTS}
    assert planned(repository, ours) == left
    assert digests(finish(repository, ours)) == before


CURVATURE = {"measure_shard": 1, **DOCUMENTS}


def test_curvature_is_measured_of_meshes_that_are_there(
    repository, config, multires, volume, tmp_path
):
    """No voxel is read, and nothing meshed again. One core, and files per label, change nothing."""
    ours = config(tmp_path / "out", measures=["curvature"])
    shutil.copytree(multires.parent, tmp_path / "out")
    assert planned(repository, ours) == CURVATURE
    served = finish(repository, ours)
    assert planned(repository, ours) == {}
    before, after = digests(multires), digests(served)
    changed = {str(name) for name in after if after[name] != before[name]}
    assert changed == {"segments.parquet", "snakemesh.json"} and len(after) == len(before)
    assert not list((tmp_path / "out/work/measured").glob("*"))

    columns = ["label", "curvature", "curvature_sd"]
    table = pq.read_table(served / "segments.parquet", columns=columns)
    assert table.num_rows == len(np.unique(volume.labels)) - 1
    single = table.to_pylist()[table["label"].to_pylist().index(7)]
    # a voxel of 20 x 8 x 8 nm is less than a ball of 5 nm radius, and more than one of 40
    assert 1 / 40 < single["curvature"] < 1 / 5
    assert b"nanometres" in table.schema.field("curvature").metadata[b"description"]
    # convex bodies, of which some have nothing but sides at the ends of the volume
    values = table["curvature"].to_numpy()
    assert (values[np.isfinite(values)] > 0).mean() > 0.9

    for name, changes in (("alone", {}), ("unsharded", {"sharded": False})):
        other = config(tmp_path / name, measures=["curvature"], **changes)
        again = pq.read_table(
            finish(repository, other, cores=1) / "segments.parquet", columns=columns
        )
        assert again.equals(table)

    # with another measure, blocks are read as well, and the curvature is what it was
    both = ours | {"measures": ["components", "curvature"]}
    assert planned(repository, both) == {"measure_block": 4, **CURVATURE}
    found = pq.read_table(finish(repository, both) / "segments.parquet")
    assert found.select(columns).equals(table) and min(found["components"].to_pylist()) == 1


@pytest.mark.parametrize("what", ["shard", "summary"])
def test_curvature_is_not_that_of_a_damaged_shard(repository, config, tmp_path, what):
    """A byte in the middle, where the next plan does not look at the shard."""
    copy = shutil.copytree(repository, tmp_path / "repository")
    module = copy / "src/snakemesh/output/served.py"
    module.write_text(module.read_text().replace("PROBE_BYTES = 1 << 16", "PROBE_BYTES = 16"))
    ours = config(tmp_path / "out", keep_fragments=True)
    damaged = finish(copy, ours) / "0.shard"
    if what == "summary":
        found = (tmp_path / "out/work/shards").glob("0.*.npy")
        (damaged,) = (path for path in found if path.name.count(".") == 2)
    flip(damaged)
    ours["measures"] = ["curvature"]
    assert planned(copy, ours) == CURVATURE
    said = fails(copy, ours)
    assert f"{damaged} is not what was written" in said
    assert "Traceback" not in said and not damaged.exists()
    assert planned(copy, ours) == {"mesh_blocks_done": 1, "shard": 1, **CURVATURE}
    finish(copy, ours)


def test_an_edit_measures_again_what_it_reaches(repository, ours, edit, made):
    """Every block of this small volume lies within the margin of the edit; one does without it."""
    kept = ours(keep_fragments=True, measures=["components"])
    made(kept)
    edit(kept)
    assert planned(repository, kept)["measure_block"] == 1
    finish(repository, kept)
    edited = digests(ours()["output_directory"] / "multires")
    fresh = ours("fresh", keep_fragments=True, measures=["components"])
    assert digests(finish(repository, fresh)) == edited


def test_bodies_of_a_table_are_measured(repository, config, volume, tmp_path):
    """All labels of the volume become two bodies."""
    labels = np.unique(volume.labels[volume.labels > 0])
    bodies = np.where(np.arange(len(labels)) % 2, 5, 6).astype(np.uint64)
    table = np.column_stack([labels, bodies])
    np.save(tmp_path / "table.npy", table)
    ours = config(tmp_path / "out", label_map=tmp_path / "table.npy", **BOTH)
    rows = pq.read_table(finish(repository, ours) / "segments.parquet").to_pylist()
    assert [row["label"] for row in rows] == [5, 6]
    for row in rows:
        own = np.isin(volume.labels, labels[bodies == row["label"]])
        assert row["components"] == ndimage.label(own, np.ones((3, 3, 3)))[1]
