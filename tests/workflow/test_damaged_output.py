"""What was made and is damaged, is made again: to the bytes that a run from nothing makes."""

import os
import shutil
from pathlib import Path

import pytest
from test_never_stale import DOCUMENTS, MESHING, PYRAMID

from running import digests, dry_run, finish, jobs_in, planned, run


def test_an_output_that_does_not_say_what_made_it(repository, ours, made):
    output = made(ours()).parent
    before = digests(output / "multires")
    (output / "snakemesh.json").unlink()
    for marker in output.glob("work/**/*.done"):
        marker.unlink()
    done = run(repository, ours(), "--dry-run")
    assert done.returncode != 0 and "does not say which input it was made from" in done.stderr
    assert digests(output / "multires") == before
    said = dry_run(repository, ours(input_changed=True))
    assert "older" in said and "made again" in said
    assert jobs_in(said) == PYRAMID | MESHING
    assert digests(finish(repository, ours(input_changed=True))) == before


def test_damaged_levels_that_are_kept(repository, ours, made):
    configuration = ours(delete_intermediate_scales=False)
    output = made(configuration).parent
    group = output / "_intermediate_scales.zarr"
    before = digests(output / "multires"), digests(group)

    def again(expected):
        assert planned(repository, configuration) == expected
        finish(repository, configuration)
        assert (digests(output / "multires"), digests(group)) == before
        assert planned(repository, configuration) == {}

    (group / "s1" / "0" / "0" / "0").unlink()
    assert "damaged  chunks of" in dry_run(repository, configuration)
    again({"pyramid_super_chunk": 1, "cleanup": 1})
    os.truncate(group / "s2" / "0" / "0" / "0", 20)
    again({"pyramid_super_chunk": 1, "cleanup": 1})
    shutil.rmtree(group / "s1")
    again(PYRAMID | {"cleanup": 1})
    for marker in output.glob("work/pyramid/**/*.done"):
        marker.write_bytes(b"\0" * marker.stat().st_size)
    again({"pyramid_super_chunk": 2, "cleanup": 1})


def test_a_garbled_chunk_of_a_kept_level(repository, ours, made):
    """Of the same size, so that it shows when it is read. It is not said to be the user's."""
    configuration = ours(delete_intermediate_scales=False)
    output = made(configuration).parent
    chunk = output / "_intermediate_scales.zarr" / "s1" / "0" / "0" / "0"
    chunk.write_bytes(b"\1" * chunk.stat().st_size)
    changed = configuration | {"target_reduction": 0.8}
    done = run(repository, changed)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    assert f"{output}/_intermediate_scales.zarr/s1 cannot be read" in said
    assert "give the same command again" in said
    fresh = made(ours("fresh", target_reduction=0.8))
    assert digests(finish(repository, changed)) == digests(fresh)


def test_damage_to_what_is_served(repository, ours, made, tmp_path):
    configuration = ours(keep_fragments=True)
    served = made(configuration)
    before = digests(served)
    shard, info = served / "0.shard", served / "info"
    blocks_are_kept = {"mesh_blocks_done": 1, "shard": 1, "cleanup": 1}
    cases = [
        (lambda: os.truncate(shard, 100), blocks_are_kept),
        (lambda: shard.write_bytes(b"\0" * shard.stat().st_size), blocks_are_kept),
        (shard.unlink, blocks_are_kept),
        (lambda: info.write_text(info.read_text().replace("16", "10")), DOCUMENTS),
        (lambda: (served / "segment_properties" / "info").write_text("{}"), DOCUMENTS),
        ((served / "segments.parquet").unlink, DOCUMENTS),
        (lambda: os.truncate(served / "segments.parquet", 1000), DOCUMENTS),
        (lambda: (served / "snakemesh.json").unlink(), DOCUMENTS),
    ]
    for damage, expected in cases:
        damage()
        said = dry_run(repository, configuration)
        assert jobs_in(said) == expected and "made again" in said
        assert digests(finish(repository, configuration)) == before
    shutil.copytree(served.parent, tmp_path / "moved")
    moved = configuration | {"output_directory": tmp_path / "moved"}
    assert planned(repository, moved) == {}


def test_unsharded_files_that_are_gone_or_cut(repository, ours):
    configuration = ours(sharded=False, keep_fragments=True)
    served = finish(repository, configuration)
    before = digests(served)
    for damage in (lambda path: path.unlink(), lambda path: os.truncate(path, 3)):
        damage(served / "7.index")
        again = {"mesh_blocks_done": 1, "shard": 1, "cleanup": 1}
        assert planned(repository, configuration) == again
        assert digests(finish(repository, configuration)) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda path, size: os.truncate(path, size // 2),
        lambda path, size: path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9),
        lambda path, size: path.unlink(),
    ],
    ids=["cut", "garbled", "gone"],
)
def test_a_damaged_container(repository, ours, made, damage):
    """Found by the shard that reads it; the same command then makes that one block again."""
    configuration = ours()
    output = Path(configuration["output_directory"])
    done = run(repository, configuration, "--until", "mesh_blocks_done")
    assert done.returncode == 0, done.stdout + done.stderr
    (container,) = output.glob("work/mesh/lod0/0_0_0.*.fragments")
    damage(container, container.stat().st_size)
    if container.exists():
        done = run(repository, configuration)
        said = done.stdout + done.stderr
        assert done.returncode != 0 and "Traceback" not in said
        assert str(container) in said and "give the same command again" in said
        assert not container.exists()
        assert planned(repository, configuration)["mesh_block"] == 1
    else:
        done = run(repository, configuration)
        assert done.returncode != 0 and "is gone" in done.stdout + done.stderr
    assert digests(finish(repository, configuration)) == digests(made(ours("fresh")))


def test_a_damaged_summary(repository, ours, made):
    configuration = ours(keep_fragments=True)
    served = made(configuration)
    (summary_path,) = served.parent.glob("work/shards/*.npy")
    summary_path.write_bytes(b"\0" * summary_path.stat().st_size)
    (served / "info").unlink()
    done = run(repository, configuration)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    assert str(summary_path) in said and "give the same command again" in said
    assert digests(finish(repository, configuration)) == digests(made(ours("fresh")))
