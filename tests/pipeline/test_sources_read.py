"""Every format and layout of a source, from its metadata to finished meshes, in this process."""

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from formats import Placed, coarser, voted, write_array, write_n5, write_precomputed, write_zarr
from in_process import build_pyramid, files, level_labels, mesh, planned, whole_run
from snakemesh.errors import UserError
from snakemesh.plan.placement import level_factors
from snakemesh.source.read import is_local, read_source
from snakemesh.view.server import Server, located
from surfaces import voronoi

VOXEL_NM = (20, 8, 8)
CORNER_NM = (1000, 2000, 3000)  # precomputed needs a multiple of the voxel size
CENTRE_NM = (1010, 2004, 3004)
FACTORS = ((1, 1, 1), (1, 2, 2), (2, 4, 4))
RUN = {"num_lods": 3, "cell_size": 32, "target_reduction": 0.5, "n_smoothing_iter": 1}
LABELS = voronoi((37, 61, 50), 20, 1, VOXEL_NM)
VOLUME = Placed(LABELS, VOXEL_NM, CORNER_NM, (16, 32, 16))
BY_HAND = {"voxel_size_nm": list(VOXEL_NM), "translation_nm": list(CENTRE_NM)}


def run(path, output, **config):
    """The plan of a run, and the bytes of all files that are served."""
    return whole_run(RUN | {"input_path": str(path), "output_directory": str(output)} | config)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The plan and the files for VOLUME in zarr v2. All other sources must give the same files."""
    folder = tmp_path_factory.mktemp("reference")
    return run(write_zarr(folder / "seg.zarr", [VOLUME]), folder / "out")


def as_type(dtype):
    return Placed(LABELS.astype(dtype), VOXEL_NM, CORNER_NM, VOLUME.chunks)


# For each case a function that writes the volume to a path and returns the input path, and the keys
# of the configuration that it needs.
CASES = {
    "zarr v2, the array": (lambda p: write_zarr(p, [VOLUME]) + "/s0", {}),
    "zarr v2, t c z y x": (lambda p: write_zarr(p, [VOLUME], leading="tc"), {}),
    "zarr v2, t c z y x, the array": (lambda p: write_zarr(p, [VOLUME], leading="tc") + "/s0", {}),
    "zarr v2, big-endian": (lambda p: write_zarr(p, [as_type(">u4")]), {}),
    "zarr v2, plain": (lambda p: write_array(p, VOLUME), BY_HAND),
    "zarr v2, placed elsewhere": (
        lambda p: write_zarr(p, [Placed(LABELS, (1, 1, 1), (0, 0, 0), VOLUME.chunks)]),
        BY_HAND,
    ),
    "zarr v3": (lambda p: write_zarr(p, [VOLUME], 3), {}),
    "zarr v3, the array": (lambda p: write_zarr(p, [VOLUME], 3) + "/s0/", {}),
    "zarr v3, sharded": (lambda p: write_zarr(p, [VOLUME], 3, sharded=True), {}),
    "zarr v3, t c z y x": (lambda p: write_zarr(p, [VOLUME], 3, leading="tc"), {}),
    "zarr v3, sharded, c z y x": (
        lambda p: write_zarr(p, [VOLUME], 3, leading="c", sharded=True),
        {},
    ),
    "zarr v3, plain": (lambda p: write_array(p, VOLUME, 3), BY_HAND),
    "n5": (lambda p: write_n5(p, [VOLUME]), {}),
    "n5, the array": (lambda p: write_n5(p, [VOLUME]) + "/s0", {}),
    "precomputed, raw": (lambda p: write_precomputed(p, [VOLUME]), {}),
    "precomputed, one scale": (lambda p: write_precomputed(p, [VOLUME]) + "/8_8_20", {}),
    "precomputed, sharded": (lambda p: write_precomputed(p, [VOLUME], sharded=True), {}),
    "precomputed, compressed_segmentation": (
        lambda p: "precomputed://" + write_precomputed(p, [VOLUME], "compressed_segmentation"),
        {},
    ),
    "precomputed, compressed_segmentation, sharded, uint64": (
        lambda p: write_precomputed(p, [as_type("u8")], "compressed_segmentation", sharded=True),
        {},
    ),
    **{
        dtype: (lambda p, dtype=dtype: write_zarr(p, [as_type(dtype)], 3), {})
        for dtype in ("uint8", "uint16", "uint64", "int8", "int16", "int32", "int64")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_every_source_becomes_the_same_meshes(name, reference, tmp_path):
    write, config = CASES[name]
    expected_plan, expected = reference
    path = write(tmp_path / "seg")
    before = files(tmp_path / "seg")
    plan, found = run(path, tmp_path / "out", **config)
    assert found == expected
    assert plan.source.shape == LABELS.shape and plan.source.chunks == VOLUME.chunks
    assert (plan.source.voxel_size, plan.source.translation) == (VOXEL_NM, CENTRE_NM)
    assert [level.is_built for level in plan.levels] == [False, True, True]
    for k, level in enumerate(plan.levels):
        assert (level.factor, level.translation) == (
            FACTORS[k],
            expected_plan.levels[k].translation,
        )
        np.testing.assert_array_equal(
            level_labels(plan, k).astype("u8"), coarser(VOLUME, FACTORS[k]).labels
        )
    assert files(tmp_path / "seg") == before, "a run has changed its input"


def in_bucket(url_path):
    """The path of an object in a request of the JSON API of Google Cloud Storage."""
    found = re.match(r"/storage/v1/b/([^/]+)/o/([^?]+)", url_path)
    return "/".join(["", *map(unquote, found.groups())]) if found else "/nothing"


@contextmanager
def served(folder, path_of=str):
    """Serve a folder; gives the address. path_of: what a request means by its path."""
    with Server(
        lambda path: located({"": folder}, path_of(path)), "127.0.0.1", 0, cors=True
    ) as server:
        yield f"http://127.0.0.1:{server.port}"


REMOTE = (
    "zarr v2, the array",
    "zarr v2, t c z y x",
    "zarr v2, plain",
    "zarr v3, sharded",
    "n5",
    "precomputed, one scale",
    "precomputed, compressed_segmentation, sharded, uint64",
)


@pytest.mark.parametrize("name", REMOTE)
def test_over_http_it_is_the_same(name, reference, tmp_path):
    write, config = CASES[name]
    path = write(tmp_path / "bucket" / "seg")
    with served(tmp_path) as url:
        plan, found = run(path.replace(str(tmp_path), url), tmp_path / "out", **config)
    assert found == reference[1]
    assert plan.source.path.startswith(url) and not is_local(plan.source)
    links = [entry for entry in Path(plan.pyramid_path).iterdir() if entry.is_symlink()]
    assert links == []


def test_as_google_cloud_storage_it_is_the_same(reference, tmp_path, monkeypatch):
    write_zarr(tmp_path / "bucket" / "seg", [VOLUME])
    with served(tmp_path, in_bucket) as url:
        monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", url)
        plan, found = run("gs://bucket/seg", tmp_path / "out")
    assert found == reference[1]
    assert plan.source.path == "gs://bucket/seg/s0" and not is_local(plan.source)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_a_negative_label_ends_the_job_that_meets_it(tmp_path, dtype):
    labels = LABELS.astype(dtype)
    labels[30, 50, 40] = -7
    path = write_zarr(tmp_path / "seg", [Placed(labels, VOXEL_NM, CORNER_NM, VOLUME.chunks)])
    plan = planned(RUN | {"input_path": path, "output_directory": str(tmp_path / "out")})
    message = r"^config key background: found label -7 at voxel \[30, 50, 40\] [^\n]*, set [^\n]*$"
    with pytest.raises(UserError, match=message):
        mesh(plan)
    with pytest.raises(UserError, match=message):
        build_pyramid(plan)


# -- units and voxel sizes --------------------------------------------------------------------

FINE = Placed(LABELS, (13.1, 5.24, 5.24), (131, 52.4, 524), VOLUME.chunks)
FINE_CASES = {
    "nanometre": lambda p: write_zarr(p, [FINE]),
    "micrometre": lambda p: write_zarr(p, [FINE], unit=("micrometer", 1000)),
    "angstrom, zarr v3": lambda p: write_zarr(p, [FINE], 3, unit=("angstrom", 0.1)),
    "n5": lambda p: write_n5(p, [FINE]),
    "precomputed": lambda p: write_precomputed(p, [FINE]),
}


@pytest.mark.parametrize("name", FINE_CASES)
def test_fractions_of_a_nanometre_stay(name, tmp_path):
    """They stay in the plan, on disk and in the meshes, whatever the unit of the source."""
    roi = [[131, 52.4, 524], [131 + 20 * 13.1, 52.4 + 41 * 5.24, 524 + 40 * 5.24]]
    plan, served = run(FINE_CASES[name](tmp_path / "seg"), tmp_path / "out", roi=roi)
    assert (plan.begin, plan.end) == ((0, 0, 0), (20, 44, 40))
    on_disk = read_source(plan.pyramid_path)[-2:]
    for k, factor in enumerate(FACTORS):
        size = np.multiply((13.1, 5.24, 5.24), factor)
        for level in (plan.levels[k], *on_disk[k - 1 : k]):
            assert level.voxel_size == pytest.approx(size, rel=1e-12)
            assert level.translation == pytest.approx(FINE.corner_nm + size / 2, rel=1e-12)
    assert plan.grid.cell_nm == pytest.approx([32 * 5.24, 32 * 5.24, 32 * 13.1], rel=1e-12)
    assert plan.grid.origin_nm == pytest.approx(FINE.corner_nm[::-1], rel=1e-12)
    multiplier = json.loads(served["info"])["lod_scale_multiplier"]
    assert multiplier == pytest.approx((13.1 * 5.24 * 5.24) ** (1 / 3), rel=1e-12)


# -- levels that are there --------------------------------------------------------------------

# The existing levels after s0 are made with `nearest`, so that they differ from what a run votes.
CUBE = Placed(LABELS, (8, 8, 8), CORNER_NM, (16, 16, 16))
WRITERS = {
    "zarr2": write_zarr,
    "zarr3": lambda path, levels: write_zarr(path, levels, 3),
    "n5": write_n5,
    "precomputed": write_precomputed,
}


def run_beside(path, output, volume, there, write=write_zarr, **config):
    """Build the missing levels of a volume. there: the numbers of the levels that exist already."""
    factors = level_factors(volume.voxel_nm, config["num_lods"])
    levels = [volume, *(coarser(volume, factors[k], nearest=True) for k in there)]
    levels = [replace(level, chunks=volume.chunks) for level in levels]
    source = write(path, levels)
    before = files(path)
    plan = planned(
        {"input_path": source, "output_directory": str(output), "cell_size": 32} | config
    )
    build_pyramid(plan)
    assert files(path) == before, "a run has changed its input"
    return plan, factors


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("voxel_nm", [(8, 8, 8), (20, 8, 8), (8, 40, 8)])
def test_a_gap_between_levels_is_voted_from_s0(tmp_path, writer, voxel_nm):
    volume = replace(CUBE, voxel_nm=voxel_nm, corner_nm=tuple(16 * v for v in voxel_nm))
    path = tmp_path / "seg"
    plan, factors = run_beside(path, tmp_path / "out", volume, (1, 3), WRITERS[writer], num_lods=4)
    assert [level.is_built for level in plan.levels] == [False, False, True, False]
    for k, factor in enumerate(factors):
        expected = coarser(volume, factor, nearest=k != 2).labels
        np.testing.assert_array_equal(level_labels(plan, k), expected)
    assert len(list(mesh(plan).glob("*.shard"))) == plan.sharding.num_shards


def test_levels_that_are_there_are_not_read_on_request(tmp_path):
    plan, factors = run_beside(
        tmp_path / "seg", tmp_path / "out", CUBE, (1, 2), num_lods=4, use_existing_scales=False
    )
    assert [level.is_built for level in plan.levels] == [False, True, True, True]
    for k, factor in enumerate(factors):
        np.testing.assert_array_equal(level_labels(plan, k), voted(LABELS, factor))


def test_nothing_is_built_beside_a_whole_pyramid(tmp_path):
    plan, factors = run_beside(tmp_path / "seg", tmp_path / "out", CUBE, (1, 2), num_lods=3)
    assert plan.stages == () and not (tmp_path / "out").exists()
    for k, factor in enumerate(factors):
        expected = coarser(CUBE, factor, nearest=True).labels
        np.testing.assert_array_equal(level_labels(plan, k), expected)


def test_a_level_that_is_there_is_what_a_later_stage_votes_on(tmp_path):
    """s3 and s5 exist and are kept. s3 ends the first stage, so s4 and s6 are voted from it."""
    plan, factors = run_beside(tmp_path / "seg", tmp_path / "out", CUBE, (3, 5), num_lods=7)
    built = [level.is_built for level in plan.levels]
    assert built == [False, True, True, False, True, False, True]
    assert [stage.base for stage in plan.stages] == [0, 3]
    kept = {k: coarser(CUBE, factors[k], nearest=True).labels for k in (3, 5)}
    expected = {k: voted(LABELS, factors[k]) for k in (1, 2)}
    expected |= {k: voted(kept[3], (2 ** (k - 3),) * 3) for k in (4, 6)}
    for k, labels in (kept | expected).items():
        np.testing.assert_array_equal(level_labels(plan, k), labels)


def test_no_stage_where_its_levels_are_there(tmp_path):
    """s1 to s3 exist, so there is no stage with base s0, and s3 is the first base."""
    plan, factors = run_beside(tmp_path / "seg", tmp_path / "out", CUBE, (1, 2, 3), num_lods=6)
    assert [(stage.base, stage.targets) for stage in plan.stages] == [(3, (4, 5))]
    s3 = coarser(CUBE, factors[3], nearest=True).labels
    for k in (4, 5):
        np.testing.assert_array_equal(level_labels(plan, k), voted(s3, (2 ** (k - 3),) * 3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": LABELS[::2, ::2, ::2][:-1]},
        {"corner_nm": (1004, 2000, 3000)},  # as if voxel 0 of every level had the same centre
    ],
)
def test_a_level_that_contradicts_its_factor_is_built_anew(tmp_path, wrong):
    levels = [CUBE, replace(coarser(CUBE, (2, 2, 2)), **wrong)]
    config = {
        "input_path": write_zarr(tmp_path / "seg", levels),
        "output_directory": str(tmp_path / "out"),
        "num_lods": 3,
    }
    plan = planned(config)
    assert [level.is_built for level in plan.levels] == [False, True, True]
    assert "s1 is not used: it" in plan.levels[1].why_built
    # the wrong level is not needed for one LOD
    assert planned(config | {"num_lods": 1}).num_lods == 1
