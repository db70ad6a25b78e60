"""What was made and is damaged, is made again: to the bytes that a run from nothing makes."""

import os
import shutil
from contextlib import contextmanager
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

    # a chunk of each super-chunk
    (group / "s1" / "0" / "0" / "0").unlink()
    said = dry_run(repository, configuration)
    assert "damaged  chunks of" in said
    assert jobs_in(said) == {"pyramid_super_chunk": 1, "cleanup": 1}
    os.truncate(group / "s2" / "1" / "0" / "0", 20)
    again({"pyramid_super_chunk": 2, "cleanup": 1})
    shutil.rmtree(group / "s1")
    again(PYRAMID | {"cleanup": 1})
    for marker in output.glob("work/pyramid/**/*.done"):
        marker.write_bytes(b"\0" * marker.stat().st_size)
    again({"pyramid_super_chunk": 2, "cleanup": 1})
    assert planned(repository, configuration) == {}


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


@contextmanager
def whole_again(path, folder):
    """Within the block, a file may be harmed. It comes back as it was, from another folder."""
    shutil.copy2(path, folder / "whole")
    yield
    shutil.copy2(folder / "whole", path)


def test_damage_to_what_is_served(repository, ours, made, tmp_path):
    """Each damage is seen by itself. Those of all documents at once are made good."""
    configuration = ours(keep_fragments=True)
    served = made(configuration)
    before = digests(served)
    shard, info, table = served / "0.shard", served / "info", served / "segments.parquet"
    properties, document = served / "segment_properties" / "info", served / "snakemesh.json"
    shards = [lambda: os.truncate(shard, 100), shard.unlink, lambda: zeros(shard)]
    documents = [
        (lambda: info.write_text(info.read_text().replace("16", "10")), info),
        (lambda: properties.write_text("{}"), properties),
        (table.unlink, table),
        (lambda: os.truncate(table, 1000), table),
        (document.unlink, document),
    ]
    blocks_are_kept = {"mesh_blocks_done": 1, "shard": 1, "cleanup": 1}
    cases = [(damage, shard, blocks_are_kept) for damage in shards]
    cases += [(damage, path, DOCUMENTS) for damage, path in documents]
    for damage, path, expected in cases:
        with whole_again(path, tmp_path):
            damage()
            said = dry_run(repository, configuration)
            assert jobs_in(said) == expected and "made again" in said
    zeros(shard)
    assert digests(finish(repository, configuration)) == before
    for damage, path in documents:
        if path.exists():
            damage()
    assert digests(finish(repository, configuration)) == before
    shutil.copytree(served.parent, tmp_path / "moved")
    moved = configuration | {"output_directory": tmp_path / "moved"}
    assert planned(repository, moved) == {}


def zeros(path):
    path.write_bytes(b"\0" * path.stat().st_size)


def test_unsharded_files_that_are_gone_or_cut(repository, ours, tmp_path):
    configuration = ours(sharded=False, keep_fragments=True, num_lods=1)
    served = finish(repository, configuration)
    before = digests(served)
    path = served / "7.index"
    again = {"mesh_blocks_done": 1, "shard": 1, "cleanup": 1}
    with whole_again(path, tmp_path):
        path.unlink()
        assert planned(repository, configuration) == again
    path.rename(served / "7.index.old")
    assert planned(repository, configuration) == again
    (served / "7.index.old").rename(path)
    os.truncate(path, 3)
    assert planned(repository, configuration) == again
    assert digests(finish(repository, configuration)) == before


@pytest.fixture(scope="module")
def meshed(repository, tmp_path_factory):
    """Runs a configuration until all blocks are meshed; a second time the output is copied."""
    kept = tmp_path_factory.mktemp("meshed") / "out"

    def make(configuration):
        output = Path(configuration["output_directory"])
        if kept.exists():
            shutil.copytree(kept, output, symlinks=True)
            return
        done = run(repository, configuration, "--until", "mesh_blocks_done")
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.copytree(output, kept, symlinks=True)

    return make


@pytest.mark.parametrize(
    "damage",
    [
        lambda path, size: os.truncate(path, size // 2),
        lambda path, size: path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9),
        lambda path, size: path.unlink(),
    ],
    ids=["cut", "garbled", "gone"],
)
def test_a_damaged_container(repository, ours, made, meshed, damage):
    """Found by the shard that reads it; the same command then makes that one block again."""
    configuration = ours()
    output = Path(configuration["output_directory"])
    meshed(configuration)
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
