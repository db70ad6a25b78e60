"""The super-chunk jobs of a plan: stages, kills, missing chunks, broken chunks, memory."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import worldarray as wa
import zarr

from levels import BY_METHOD
from preloading import library
from snakemesh.boxes import indices
from snakemesh.cost.resources import resources_of
from snakemesh.errors import UserError
from snakemesh.plan.jobs import super_chunk_job
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import make_plan
from snakemesh.pyramid import super_chunk
from snakemesh.pyramid.downsample import METHODS
from snakemesh.pyramid.group import create_group
from snakemesh.pyramid.super_chunk import build_super_chunk
from snakemesh.source.read import read_source
from snakemesh.source.voxels import is_background
from volumes import settings_with

SOURCE = Path(__file__).resolve().parents[3] / "src"


def make_source(path, shape, chunk=32, voxel_size=(8, 8, 8), dtype="uint32", version=2):
    """A writable array that is all background."""
    return wa.create(
        f"{path}/s0",
        shape,
        dtype,
        voxel_size,
        (0, 0, 0),
        axes=("z", "y", "x"),
        chunks=(chunk,) * 3,
        codecs="zstd",
        format=f"zarr{version}",
        separator="/",
    ).ts


def plan_for(source, output, **changes):
    settings = settings_with(input_path=str(source), output_directory=str(output), **changes)
    return make_plan(settings, read_source(str(source)))


def all_super_chunks(plan):
    return [super_chunk_job(plan, stage, i) for stage in plan.stages for i in indices(stage.grid)]


def build(plan):
    create_group(pyramid_group(plan))
    for job in all_super_chunks(plan):
        build_super_chunk(job)


def files(folder):
    """The bytes of every file of the built levels, by its path in the folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.is_symlink() and "s0" not in path.parts
    }


def lumps(shape, seed=0, dtype=np.uint32):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, np.array(shape) // 3 + 1)
    for axis in range(3):
        labels = np.repeat(labels, 3, axis=axis)
    noise = rng.integers(0, 3, shape)
    labels = labels[tuple(map(slice, shape))]
    return np.where(rng.random(shape) < 0.3, noise, labels).astype(dtype)


# -- stages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("num_lods", "voxel_size"),
    [(2, (8, 8, 8)), (4, (20, 8, 8)), (8, (8, 8, 8)), (8, (8, 10, 40))],
)
def test_every_level_of_every_stage(tmp_path, method, num_lods, voxel_size):
    """Every level of a stage is the vote over the base of this stage; the first base is s0."""
    labels = lumps((75, 50, 70))
    make_source(tmp_path / "seg.zarr", labels.shape, voxel_size=voxel_size).write(labels).result()
    plan = plan_for(
        tmp_path / "seg.zarr", tmp_path / "out", num_lods=num_lods, downsample_method=method
    )
    build(plan)
    group = zarr.open_group(plan.pyramid_path, mode="r")
    # s0 is linked to, but where all labels are one body: it still has them
    assert len(list(group.array_keys())) == num_lods - (method == "binary")
    assert len(plan.stages) == {2: 1, 4: 1, 8: 3}[num_lods]
    for stage in plan.stages:
        above = group[f"s{stage.base}"][...] if stage.base else labels
        for k in stage.targets:
            factor = plan.levels[k].relative_to(plan.levels[stage.base])
            expected = BY_METHOD[method](above, factor)
            np.testing.assert_array_equal(group[f"s{k}"][...], expected)


# -- kills ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A volume whose chunks take a while to write, and the files of its pyramid.

    For zarr v2 and v3: (path, files), of a pyramid that no kill disturbed.
    """
    folder = tmp_path_factory.mktemp("noisy")
    labels = np.random.default_rng(0).integers(0, 1 << 60, (256, 256, 192), dtype=np.uint64)
    labels[:64] = 0
    made = {}
    for version in (2, 3):
        source = folder / f"{version}.zarr"
        array = make_source(source, labels.shape, chunk=64, dtype="uint64", version=version)
        array.write(labels).result()
        plan = plan_for(source, folder / f"out{version}", num_lods=4)
        build(plan)
        made[version] = source, files(plan.pyramid_path)
    return made


# A job that writes one chunk after another, so that it is known what was written before a chunk.
IN_ORDER = """
import pickle, sys
from snakemesh.pyramid import fill, super_chunk
fill.BYTES_WRITING = 0
super_chunk.build_super_chunk(pickle.loads(sys.stdin.buffer.read()))
"""


def killed(job, fault):
    """The status of a job that is killed at a fault of tests/faults/kill_while_writing.c."""
    with tempfile.TemporaryDirectory() as folder:
        faults = {"KILL_WHILE_WRITING": fault, "KILL_DONE": folder}
        preloaded = {"LD_PRELOAD": str(library("kill_while_writing")), "PYTHONPATH": str(SOURCE)}
        line, environment = [sys.executable, "-c", IN_ORDER], os.environ | preloaded | faults
        return subprocess.run(line, input=pickle.dumps(job), env=environment).returncode


@pytest.mark.parametrize("version", [2, 3])
def test_killed_in_the_middle(noisy, tmp_path, version):
    """A kill leaves whole chunks and a lock file. The next run leaves the whole pyramid only."""
    source, expected = noisy[version]
    plan = plan_for(source, tmp_path / "out", num_lods=4)
    create_group(pyramid_group(plan))
    (job,) = all_super_chunks(plan)
    s1 = "s1/c" if version == 3 else "s1"
    # in the middle of a chunk, and before a whole one gets its name
    for fault, before in (("write:{}/0/0/1", ["0/0/0"]), ("rename:{}/1/0/0", ["0/0/0", "0/1/1"])):
        assert killed(job, fault.format(s1)) == -signal.SIGKILL
        found = files(plan.pyramid_path)
        (lock,) = (name for name in found if name.endswith(".__lock"))
        chunk = fault.format(s1).partition(":")[2]
        assert lock.startswith(f"{chunk}_") and found.pop(lock) and chunk not in found
        assert {f"{s1}/{index}" for index in before} <= set(found)
        assert all(data == expected[name] for name, data in found.items())
    build_super_chunk(job)
    assert files(plan.pyramid_path) == expected


@pytest.mark.parametrize("version", [2, 3])
def test_unfinished_files_go(noisy, tmp_path, version):
    """Unfinished files of metadata and of the chunks of this super-chunk are removed.

    They are named as tensorstore names them.
    """
    source, expected = noisy[version]
    plan = plan_for(source, tmp_path / "out", num_lods=4)
    create_group(pyramid_group(plan))
    root = Path(plan.pyramid_path)
    chunks = root / "s1" / ("c" if version == 3 else ".")
    for folder in ("0/0", "1/1", "7/7"):  # 0/0 is all background, 7/7 holds no chunk
        (chunks / folder).mkdir(parents=True)
        (chunks / folder / "0_0123456789abcdef.__lock").write_bytes(b"half a chu")
    (root / "s1" / ".zarray.__lock").write_bytes(b"{")
    (root / ".zattrs_0123456789abcdef.__lock").write_bytes(b"{")
    build(plan)
    strange = {name for name in files(root) if name not in expected}
    assert strange == {str((chunks / "7/7/0_0123456789abcdef.__lock").relative_to(root))}
    assert {name: data for name, data in files(root).items() if name in expected} == expected


# -- what is not there, and what is broken ----------------------------------------------------


def test_a_job_costs_what_is_in_it_not_what_the_volume_spans(tmp_path, monkeypatch):
    """Of 4096^3 voxels, two chunks are stored. Only the chunks that cover them are written."""
    source = make_source(tmp_path / "seg.zarr", (4096,) * 3, chunk=64, dtype="uint64")
    source[1024:1088, 64:128, :64].write(7).result()
    source[1088:1152, 64:128, :64].write(8).result()
    plan = plan_for(tmp_path / "seg.zarr", tmp_path / "out", num_lods=4)
    create_group(pyramid_group(plan))
    empty = set(files(plan.pyramid_path))
    (stage,) = plan.stages
    assert stage.super_chunk == (512, 512, 512) and len(empty) < 8
    asked = mock.Mock(wraps=is_background)
    monkeypatch.setattr(super_chunk, "is_background", asked)
    with mock.patch.object(super_chunk, "fill_super_chunk", None):  # nothing is read
        build_super_chunk(super_chunk_job(plan, stage, (0, 0, 0)))
    assert set(files(plan.pyramid_path)) == empty
    assert not list(Path(plan.pyramid_path).glob("s1/*/"))
    build_super_chunk(super_chunk_job(plan, stage, (2, 0, 0)))
    assert [call.args[0].shape for call in asked.call_args_list] == [stage.super_chunk] * 2
    assert set(files(plan.pyramid_path)) - empty == {"s1/8/0/0", "s2/4/0/0", "s3/2/0/0"}
    found = zarr.open_array(f"{plan.pyramid_path}/s3", mode="r")[128:144, :16, :8]
    assert np.unique(found[:8, 8:]).tolist() == [7] and np.unique(found[8:, 8:]).tolist() == [8]
    assert not found[:, :8].any()


def test_where_nothing_is_stored_an_older_pyramid_goes(tmp_path):
    source = make_source(tmp_path / "v.zarr", (64, 64, 64))
    plan = plan_for(tmp_path / "v.zarr", tmp_path / "out", num_lods=2)
    source.write(5).result()
    build(plan)
    built = files(plan.pyramid_path)
    source.write(0).result()
    (job,) = all_super_chunks(plan)
    for _ in range(2):
        assert build_super_chunk(job) == {"voxels": 64**3, "stored": 0}
        assert len(files(plan.pyramid_path)) < len(built)
    assert not zarr.open_array(f"{plan.pyramid_path}/s1", mode="r")[:].any()


def test_a_broken_chunk_is_named_in_one_line(tmp_path):
    labels = lumps((64, 64, 64))
    make_source(tmp_path / "seg.zarr", labels.shape).write(labels).result()
    broken = tmp_path / "seg.zarr" / "s0" / "1" / "0" / "1"
    broken.write_bytes(b"no zstd")
    plan = plan_for(tmp_path / "seg.zarr", tmp_path / "out", num_lods=2)
    with pytest.raises(UserError) as raised:
        build(plan)
    message = str(raised.value)
    assert "\n" not in message
    assert str(broken) in message and "voxels [0, 0, 0] to [64, 64, 64]" in message


# -- memory -----------------------------------------------------------------------------------

MEASURE = """
import pickle, re, sys
from pathlib import Path
from snakemesh.pyramid.super_chunk import build_super_chunk
build_super_chunk(pickle.loads(sys.stdin.buffer.read()))
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
"""
SNAKEMAKE_MB = 130  # on a cluster, the Snakemake that starts a job runs beside it


@pytest.mark.parametrize(
    ("dtype", "shape", "chunk"),
    [
        ("uint8", (256, 256, 256), (32, 32, 32)),
        ("uint32", (256, 512, 512), (64, 64, 64)),
        ("uint64", (256, 256, 512), (128, 128, 128)),
        ("uint64", (256, 256, 512), (256, 256, 256)),
        ("uint32", (64, 1024, 1024), (1, 1024, 1024)),
    ],
)
def test_memory_stays_below_what_is_asked_for(tmp_path, dtype, shape, chunk):
    labels = np.tile(lumps((64, 64, 64), dtype=dtype), [n // 64 for n in shape])
    array = zarr.create_group(tmp_path / "seg.zarr", zarr_format=2).create_array(
        "s0", data=labels, chunks=chunk
    )
    assert array.chunks == chunk
    plan = make_plan(
        settings_with(
            input_path=str(tmp_path / "seg.zarr/s0"),
            output_directory=str(tmp_path / "out"),
            num_lods=4,
            voxel_size_nm=[8, 8, 8],
        ),
        read_source(str(tmp_path / "seg.zarr/s0"), (8, 8, 8)),
    )
    create_group(pyramid_group(plan))
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=pickle.dumps(all_super_chunks(plan)[0]),
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        check=True,
    )
    peak = int(ended.stdout) * 1024 / 1e6 + SNAKEMAKE_MB
    assert peak < resources_of(plan, "pyramid_super_chunk").mem_mb < 3 * peak
