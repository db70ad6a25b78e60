"""`snakemake pyramid` builds the missing levels, and keeps them whatever the configuration says."""

import json
import os

import numpy as np
import pytest
import zarr
from ome_zarr_models import open_ome_zarr

from levels import mode
from running import digests, dry_run, finish, planned, succeeds

PYRAMID = {"pyramid_levels", "pyramid_super_chunk"}
MESHING = {"mesh_block": 6, "mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}


@pytest.fixture(scope="module")
def built(repository, config, tmp_path_factory):
    """The output folder of `snakemake pyramid`, in a configuration that deletes the pyramid."""
    output = tmp_path_factory.mktemp("pyramid") / "out"
    succeeds(repository, config(output), "pyramid")
    return output


def test_nothing_but_the_pyramid_and_it_stays(repository, config, built):
    assert {path.name for path in built.iterdir()} == {
        *("_intermediate_scales.zarr", "work", "logs", "benchmarks", "snakemesh.json")
    }
    before = digests(built)
    assert "Nothing to be done" in succeeds(repository, config(built), "pyramid")
    assert digests(built) == before


def test_readers_agree_on_what_it_holds(built, volume):
    """The group lists exactly its levels, finest first, and each holds the mode of its cubes."""
    path = built / "_intermediate_scales.zarr"
    assert os.readlink(path / "s0") == str(volume.path / "s0")
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 2
    model = open_ome_zarr(group)
    (scales,) = model.ome_attributes.multiscales
    assert [axis.name for axis in scales.axes] == ["z", "y", "x"]
    assert [dataset.path for dataset in scales.datasets] == ["s0", "s1", "s2"]
    assert sorted(group.array_keys()) == ["s0", "s1", "s2"]
    for dataset, factor in zip(scales.datasets, [(1, 1, 1), (1, 2, 2), (2, 4, 4)], strict=True):
        scale, translation = dataset.coordinateTransformations
        assert scale.scale == [v * f for v, f in zip(volume.voxel_nm, factor, strict=True)]
        centre = np.array(volume.corner_nm) + np.array(scale.scale) / 2
        assert translation.translation == centre.tolist()
        np.testing.assert_array_equal(group[dataset.path][...], mode(volume.labels, factor))
    for name in ("s1", "s2"):
        metadata = json.loads((path / name / ".zarray").read_text())
        assert metadata["compressor"]["id"] == "zstd"
        assert metadata["chunks"] == [32, 32, 32]
        assert metadata["dimension_separator"] == "/"


def would_do(repository, config):
    said = dry_run(repository, config, "pyramid")
    return {rule for rule in PYRAMID if rule in said}


def test_another_placement_is_another_pyramid(repository, config, built):
    """All is built again, although the voxels of each super-chunk would be the same."""
    assert would_do(repository, config(built)) == set()
    assert would_do(repository, config(built, voxel_size_nm=[40, 16, 16])) == PYRAMID


def test_nothing_is_missing(repository, config, built, tmp_path):
    """Nothing is built for one LOD, or where the source has all levels."""
    before = digests(built)
    complete = {"input_path": built / "_intermediate_scales.zarr"}
    for changes in ({"num_lods": 1}, complete):
        succeeds(repository, config(tmp_path / "out") | changes, "pyramid")
        assert not (tmp_path / "out" / "_intermediate_scales.zarr").exists()
    assert digests(built) == before


def test_a_run_uses_it_and_removes_it_if_it_is_not_to_be_kept(repository, config, built, multires):
    assert planned(repository, config(built)) == MESHING
    assert digests(finish(repository, config(built))) == digests(multires)
    assert not (built / "_intermediate_scales.zarr").exists()
    assert not (built / "work" / "pyramid").exists()
