"""Shards made from bundles are those made from containers, whatever is killed or damaged."""

import os
import shutil

import pytest

from running import digests, dry_run, fails, finish, jobs_in, kill_when, planned, succeeds
from small_blocks import copy_with_bundles

# 4 blocks of LOD 0 in bundles of 3, and one block of each other LOD
BUNDLES = {"mesh_bundle": 4, "mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}


@pytest.fixture(scope="module")
def bundling(tmp_path_factory):
    return copy_with_bundles(tmp_path_factory.mktemp("workflow") / "bundling")


def containers(output):
    return {path.name.split(".")[0] for path in output.glob("work/mesh/lod*/*.fragments")}


def bundles(output):
    return sorted(output.glob("work/mesh/bundles/lod*/*.fragments"))


# Where a run is stopped, and the options that stop it there. --until mesh_block would end in a bug
# of Snakemake, as blocks wait for blocks.
STOPS = {
    "blocks": ("--omit-from", "mesh_bundle"),
    "bundles": ("--until", "mesh_bundle"),
    "no containers": ("--until", "mesh_blocks_done"),
}


@pytest.fixture(scope="module")
def stopped(bundling, config, tmp_path_factory):
    """A function that copies the output of a run that was stopped at one of STOPS."""
    folder = tmp_path_factory.mktemp("stopped")
    for stop, options in STOPS.items():
        succeeds(bundling, config(folder / "out"), *options)
        shutil.copytree(folder / "out", folder / stop, symlinks=True)
    return lambda stop, output: shutil.copytree(folder / stop, output, symlinks=True)


def test_a_run_with_bundles(bundling, config, multires, stopped, tmp_path):
    """Its containers are gone when bundles hold them; only results are left in the end."""
    configuration, output = config(tmp_path / "out"), tmp_path / "out"
    said = dry_run(bundling, configuration)
    assert jobs_in(said).items() >= ({"mesh_block": 6} | BUNDLES).items()
    assert "  shards   1, from 4 bundles of 3 blocks" in said
    stopped("bundles", tmp_path / "earlier")
    assert len(containers(tmp_path / "earlier")) == len(bundles(tmp_path / "earlier")) == 4
    stopped("no containers", output)
    assert containers(output) == set() and len(bundles(output)) == 4
    left = {rule: n for rule, n in BUNDLES.items() if rule in ("shard", "multires_index")}
    assert planned(bundling, configuration) == left | {"cleanup": 1}
    assert digests(finish(bundling, configuration)) == digests(multires)
    assert not (output / "work" / "mesh").exists()
    assert planned(bundling, configuration) == {}


def test_a_damaged_bundle(bundling, config, multires, stopped, tmp_path):
    """A job that reads it names it; the same command then makes its blocks again."""
    configuration = config(tmp_path / "out")
    stopped("no containers", tmp_path / "out")
    (bundle,) = (tmp_path / "out" / "work" / "mesh" / "bundles" / "lod0").glob("0.*")
    bundle.write_bytes(bundle.read_bytes()[:-9] + b"\0" * 9)
    said = fails(bundling, configuration)
    assert str(bundle) in said and "give the same command again" in said
    assert not bundle.exists()
    again = planned(bundling, configuration)
    assert again["mesh_bundle"] == 1 and again["mesh_blocks_done"] == 1
    assert again["mesh_block"] >= 3
    assert digests(finish(bundling, configuration)) == digests(multires)


def test_a_bundle_that_is_damaged_before_its_containers_are_removed(
    bundling, config, multires, stopped, tmp_path
):
    """They are kept, and no block is meshed again."""
    configuration = config(tmp_path / "out")
    stopped("bundles", tmp_path / "out")
    bundle = bundles(tmp_path / "out")[0]
    os.truncate(bundle, 100)
    said = fails(bundling, configuration)
    assert f"{bundle} is damaged" in said
    assert len(containers(tmp_path / "out")) == 4
    assert planned(bundling, configuration) == BUNDLES | {"mesh_bundle": 1}
    assert digests(finish(bundling, configuration)) == digests(multires)


def test_a_damaged_container_is_found_by_its_bundle(bundling, config, multires, stopped, tmp_path):
    configuration = config(tmp_path / "out")
    stopped("blocks", tmp_path / "out")
    (container,) = tmp_path.glob("out/work/mesh/lod0/0_0_0.*.fragments")
    container.write_bytes(container.read_bytes()[:-9] + b"\0" * 9)
    said = fails(bundling, configuration)
    assert str(container) in said and not container.exists()
    assert planned(bundling, configuration)["mesh_block"] == 1
    assert digests(finish(bundling, configuration)) == digests(multires)


def test_killed_while_bundles_are_made(bundling, config, multires, stopped, tmp_path):
    configuration, output = config(tmp_path / "out"), tmp_path / "out"
    stopped("blocks", output)
    kill_when(bundling, configuration, lambda: len(bundles(output)) >= 1, whole_group=True)
    assert digests(finish(bundling, configuration)) == digests(multires)


def test_an_edit_of_kept_fragments(bundling, ours, made, edit):
    """Containers are kept, not bundles. Blocks that the edit does not touch are not made again."""
    configuration = ours(keep_fragments=True, delete_intermediate_scales=False)
    output = finish(bundling, configuration).parent
    assert len(containers(output)) == 4 and bundles(output) == []
    edit(configuration)
    again = planned(bundling, configuration)
    assert again["mesh_block"] == 3 and again["mesh_bundle"] == 4
    assert digests(finish(bundling, configuration)) == digests(made(ours("fresh")))
    assert planned(bundling, configuration) == {}
