"""One job meshes all blocks of small LODs: the same bytes, and what is finished stays finished."""

import pytest

from running import digests, fails, finish, kill_when, planned, succeeds
from small_blocks import copy_with_small_blocks

LATER = {"mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A copy with 6 blocks of a cell, as others have, but one job for all of them."""
    copy = copy_with_small_blocks(tmp_path_factory.mktemp("workflow") / "together")
    module = copy / "src" / "snakemesh" / "plan" / "together.py"
    module.write_text(module.read_text().replace("VOXELS = 1\n", "VOXELS = 5 << 20\n"))
    return copy


def containers(output):
    """The containers that are there, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in output.glob("work/mesh/lod*/*.fragments")}


def test_killed_in_the_middle(together, config, multires, tmp_path):
    """The blocks that were finished are neither removed nor meshed again."""
    configuration, output = config(tmp_path / "out"), tmp_path / "out"
    assert planned(together, configuration).items() >= ({"mesh_small_lods": 1} | LATER).items()
    assert "mesh_block" not in planned(together, configuration)
    at_most = {"held": r"\.fragments$", "free": 5}  # of six
    kill_when(together, configuration, lambda: len(containers(output)) >= 2, True, **at_most)
    before = containers(output)
    assert 2 <= len(before) < 6
    assert planned(together, configuration) == {"mesh_small_lods": 1} | LATER
    succeeds(together, configuration, "--until", "mesh_small_lods")
    assert len(containers(output)) == 6 and containers(output).items() >= before.items()
    assert digests(finish(together, configuration)) == digests(multires)
    assert not list(output.rglob("*.finished"))
    assert planned(together, configuration) == {}


def test_a_damaged_container(together, config, multires, tmp_path):
    """Its block alone is meshed again."""
    configuration, output = config(tmp_path / "out"), tmp_path / "out"
    succeeds(together, configuration, "--until", "mesh_blocks_done")
    (container,) = output.glob("work/mesh/lod1/0_0_0.*.fragments")
    container.write_bytes(container.read_bytes()[:-9] + b"\0" * 9)
    before = containers(output)
    said = fails(together, configuration)
    assert str(container) in said
    assert planned(together, configuration) == {"mesh_small_lods": 1} | LATER
    succeeds(together, configuration, "--until", "mesh_small_lods")
    after = containers(output)
    assert {path for path in before if before[path] != after[path]} == {container}
    assert digests(finish(together, configuration)) == digests(multires)


def test_an_edit_of_kept_fragments(together, ours, made, edit):
    """Only the blocks that the edit touches are meshed again."""
    configuration = ours(keep_fragments=True, delete_intermediate_scales=False)
    output = finish(together, configuration).parent
    before = containers(output)
    assert len(before) == 6
    edit(configuration)
    assert planned(together, configuration)["mesh_small_lods"] == 1
    assert digests(finish(together, configuration)) == digests(made(ours("fresh")))
    assert len(before.items() & containers(output).items()) == 3
    assert not list(output.rglob("*.finished"))
    assert planned(together, configuration) == {}
