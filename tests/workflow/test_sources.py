"""The whole workflow on volumes other than a local group that has only s0."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zarr

import in_process
from formats import Placed, coarser, voted, write_array, write_zarr
from object_store import object_store, upload
from running import digests, dry_run, fails, finish, meshes, planned, succeeds
from snakemesh.view.server import Server, located

BUCKET = "volumes"
LODS = {"num_lods": 2}
FACTOR = (1, 2, 2)


@dataclass(frozen=True)
class Sources:
    """One volume: a zarr v2 group over http, and an array without placement in s3."""

    volume: Placed
    http: str
    s3: str


@pytest.fixture(scope="module")
def sources(volume, tmp_path_factory):
    """The volume behind a web server and in an S3-compatible store."""
    folder = tmp_path_factory.mktemp("sources")
    placed = Placed(volume.labels[:40, :60, :50], volume.voxel_nm, volume.corner_nm, (40, 32, 32))
    write_zarr(folder / "seg.zarr", [placed])
    write_array(folder / "plain.zarr", placed)
    before = digests(folder)
    find = partial(located, {"": folder})
    with object_store(), Server(find, "127.0.0.1", 0, cors=True) as server:
        files = (path for path in (folder / "plain.zarr").rglob("*") if path.is_file())
        upload(BUCKET, {f"some/{path.relative_to(folder)}": path for path in files})
        http = f"http://127.0.0.1:{server.port}/seg.zarr"
        yield Sources(placed, http, f"s3://{BUCKET}/some/plain.zarr")
    assert digests(folder) == before, "a run has changed its input"


@pytest.fixture(scope="module")
def results(repository, config, sources, tmp_path_factory):
    """The output of one run per source. Both run at the same time and keep the built levels."""
    folder = tmp_path_factory.mktemp("results")
    by_hand = {
        "voxel_size_nm": list(sources.volume.voxel_nm),
        "translation_nm": sources.volume.centre_nm,
    }
    inputs = {"http": {"input_path": sources.http}, "s3": {"input_path": sources.s3} | by_hand}

    def finished(name):
        kept = {"delete_intermediate_scales": False}
        return finish(repository, config(folder / name, **LODS, **kept) | inputs[name]).parent

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(inputs, pool.map(finished, inputs), strict=True))


@pytest.fixture(scope="module")
def local(config, sources, tmp_path_factory):
    """Digests of what the library makes of a local copy, without Snakemake."""
    folder = tmp_path_factory.mktemp("local")
    path = write_zarr(folder / "seg.zarr", [sources.volume])
    plan = in_process.planned(config(str(folder / "out"), **LODS) | {"input_path": path})
    in_process.build_pyramid(plan)
    return digests(in_process.mesh(plan))


@pytest.mark.parametrize("name", ["http", "s3"])
def test_meshes_are_those_of_the_local_volume(results, local, name):
    made = meshes(results[name] / "multires")
    # the library's twin here makes no table, and lists nothing that comes from tables
    for file in ("0.shard", "info"):
        assert made[file] == local[file]


@pytest.mark.parametrize("name", ["http", "s3"])
def test_what_is_missing_is_built_here(results, sources, name):
    """Levels are built from the remote s0, and no link pretends that s0 is a local folder."""
    group = results[name] / "_intermediate_scales.zarr"
    assert not any(Path(at, entry).is_symlink() for at, d, f in os.walk(group) for entry in d + f)
    built = zarr.open_array(group / "s1", mode="r")
    np.testing.assert_array_equal(built[:], voted(sources.volume.labels, FACTOR))


def test_a_remote_run_is_finished(repository, config, results, sources):
    """A second run recognises what the first was made from, so nothing is left to do."""
    changed = config(results["http"], **LODS, delete_intermediate_scales=False)
    assert planned(repository, changed | {"input_path": sources.http}) == {}


def test_a_gap_between_levels(repository, config, sources, tmp_path):
    """s0, s1 and s3 exist: `snakemake pyramid` builds only s2, from s0, and keeps it."""
    s0 = sources.volume
    there = [s0, coarser(s0, FACTOR), coarser(s0, (4, 8, 8))]
    path = write_zarr(tmp_path / "seg.zarr", there)
    output = tmp_path / "out"
    changed = config(output, num_lods=4, delete_intermediate_scales=False) | {"input_path": path}
    succeeds(repository, changed, "pyramid")
    group = output / "_intermediate_scales.zarr"
    folders = [entry for entry in group.iterdir() if entry.is_dir() and not entry.is_symlink()]
    assert [entry.name for entry in folders] == ["s2"]
    built = zarr.open_array(group / "s2", mode="r")
    np.testing.assert_array_equal(built[:], voted(s0.labels, (2, 4, 4)))


def test_a_level_in_the_wrong_place_is_built_anew(repository, config, sources, tmp_path):
    """A dry run says so, and leaves no files."""
    labels, chunks = voted(sources.volume.labels, FACTOR), sources.volume.chunks
    shifted = Placed(labels, (20, 16, 16), (1000, 1996, 2996), chunks)
    path = write_zarr(tmp_path / "seg.zarr", [sources.volume, shifted])
    output = tmp_path / "out"
    lines = dry_run(repository, config(output, **LODS) | {"input_path": path}).splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("  level s1 "))
    assert lines[at].endswith("to be built")
    assert lines[at + 1].strip().startswith(f"{path}/s1 is not used: its metadata have no trans")
    assert not output.exists()


def test_a_negative_label_is_a_line_in_the_log(repository, config, sources, tmp_path):
    labels = (sources.volume.labels % 1000).astype(np.int32)
    labels[20, 30, 25] = -7
    volume = Placed(labels, sources.volume.voxel_nm, sources.volume.corner_nm, (32, 32, 32))
    path = write_zarr(tmp_path / "seg.zarr", [volume])
    fails(repository, config(tmp_path / "out", **LODS) | {"input_path": path})
    logs = [p.read_text() for p in (tmp_path / "out" / "logs").rglob("*.log")]
    said = [text for text in logs if "found label -7 at voxel [20, 30, 25]" in text]
    assert said and all(len(text.splitlines()) == 1 for text in said)
