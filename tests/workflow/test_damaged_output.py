"""What was made and is damaged, is made again: to the bytes that a run from nothing makes."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_never_stale import DOCUMENTS, MESHING, PYRAMID

from running import digests, dry_run, fails, finish, jobs_in, kill_when, planned, run, succeeds
from snakemesh.output.markers import read_marker
from snakemesh.output.served import PROBE_BYTES


def test_an_output_that_does_not_say_what_made_it(repository, ours, made):
    output = made(ours()).parent
    before = digests(output / "multires")
    (output / "snakemesh.json").unlink()
    for marker in output.glob("work/**/*.done"):
        marker.unlink()
    said = fails(repository, ours(), "--dry-run")
    assert "does not say which input it was made from" in said
    assert digests(output / "multires") == before
    said = dry_run(repository, ours(input_changed=True))
    assert "older" in said and "made again" in said
    assert jobs_in(said) == PYRAMID | MESHING
    assert digests(finish(repository, ours(input_changed=True))) == before


def test_a_document_of_the_run_that_is_gone_or_of_another_run(repository, ours, made):
    """`snakemesh view` and others know an output by it. Nothing else is made again."""
    configuration = ours()
    output = made(configuration).parent
    path = output / "snakemesh.json"
    before = read_marker(path)
    files = digests(output)
    damages = [
        path.unlink,
        lambda: os.truncate(path, 1000),
        lambda: path.write_text(json.dumps(before | {"products": {}})),
    ]
    for damage in damages:
        damage()
        said = dry_run(repository, configuration)
        assert jobs_in(said) == {} and "older" not in said
        said = succeeds(repository, configuration)
        assert f"{path} was gone or not that of this run: written again" in said
        now = read_marker(path)
        assert now | {"speed": None} == before | {"speed": None}
        again = run(repository, configuration)
        assert again.returncode == 0 and str(path) not in again.stderr
    changed = {name for name, found in digests(output).items() if found != files.get(name)}
    assert all(name.startswith((path.name, "work/lock")) for name in changed)
    path.unlink()
    said = dry_run(repository, configuration)
    assert f"damaged  {path} is gone or cannot be read: written again" in said


def test_a_run_with_another_configuration_that_made_nothing(repository, ours, made):
    """After it, a run with the first one has nothing to make; the document says so again."""
    configuration = ours()
    output = made(configuration).parent
    path = output / "snakemesh.json"
    before = read_marker(path)
    kill_when(repository, ours(num_lods=1), lambda: read_marker(path) != before, True, held=None)
    assert planned(repository, configuration) == {}
    succeeds(repository, configuration)
    now = read_marker(path)
    assert now | {"speed": None} == before | {"speed": None}


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
    said = fails(repository, changed)
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
    overview, points = served / "overview" / "mesh.vtk.gz", served / "centroids" / "info"
    by_place = served / "centroids" / "spatial0" / "0.shard"
    shards = [lambda: os.truncate(shard, 100), shard.unlink, lambda: zeros(shard)]
    documents = [
        (lambda: info.write_text(info.read_text().replace("16", "10")), info),
        (lambda: properties.write_text("{}"), properties),
        (table.unlink, table),
        (lambda: os.truncate(table, 1000), table),
        (document.unlink, document),
        (overview.unlink, overview),
        (lambda: os.truncate(overview, 1000), overview),
        (lambda: points.write_text("{}"), points),
        (lambda: zeros(by_place), by_place),
    ]
    blocks_are_kept = {"mesh_blocks_done": 1, "shard": 1, "cleanup": 1}
    cases = [(damage, shard, blocks_are_kept) for damage in shards]
    cases += [(damage, path, DOCUMENTS) for damage, path in documents]
    for damage, path, expected in cases:
        with whole_again(path, tmp_path):
            damage()
            said = dry_run(repository, configuration)
            assert jobs_in(said) == expected and ": made again" in said
    with whole_again(overview, tmp_path):
        overview.unlink()
        said = dry_run(repository, configuration, "verify")
        assert jobs_in(said).keys().isdisjoint(DOCUMENTS)
        assert f"damaged  {overview} is gone: not made again by this target" in said
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
        succeeds(repository, configuration, "--until", "mesh_blocks_done")
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
        said = fails(repository, configuration)
        assert str(container) in said and "give the same command again" in said
        assert not container.exists()
        assert planned(repository, configuration)["mesh_block"] == 1
    else:
        assert "is gone" in fails(repository, configuration)
    assert digests(finish(repository, configuration)) == digests(made(ours("fresh")))


def test_a_damaged_summary(repository, ours, made):
    configuration = ours(keep_fragments=True)
    served = made(configuration)
    (summary_path,) = served.parent.glob("work/shards/*[!s].npy")
    summary_path.write_bytes(b"\0" * summary_path.stat().st_size)
    (served / "info").unlink()
    said = fails(repository, configuration)
    assert str(summary_path) in said and "give the same command again" in said
    assert digests(finish(repository, configuration)) == digests(made(ours("fresh")))


def test_a_damaged_shard_that_the_overview_is_made_from(repository, ours, made):
    """Its ends are whole, so planning sees nothing. The job finds it, and then it is made again."""
    configuration = ours(keep_fragments=True)
    served = made(configuration)
    before = digests(served)
    shard = served / "0.shard"
    content = bytearray(shard.read_bytes())
    content[PROBE_BYTES:-PROBE_BYTES] = bytes(len(content) - 2 * PROBE_BYTES)
    shard.write_bytes(content)
    (served / "overview" / "mesh.vtk.gz").unlink()
    assert planned(repository, configuration) == DOCUMENTS
    said = fails(repository, configuration)
    assert f"{shard} is damaged; give the same command again" in said
    assert digests(finish(repository, configuration)) == before
