import dataclasses
import itertools
import math
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from counting import Work, work_of
from snakemesh.boxes import indices
from snakemesh.errors import UserError
from snakemesh.plan.jobs import blocks_of_bundle, mesh_block_job, super_chunk_job
from snakemesh.plan.plan import VOXELS_PER_SHARD, make_plan
from snakemesh.plan.stages import built_chunks
from snakemesh.plan.together import MAX_CHAIN_VOXELS, MAX_TOGETHER_VOXELS, blocks_together
from volumes import (
    ISOTROPIC,
    all_jobs,
    anisotropic_plan,
    plan_of,
    plans,
    settings_with,
    volume,
)

REPO = Path(__file__).resolve().parents[3]
# Three times the calls of the largest plan, and far fewer than one for each of its cells.
MOST = Work(calls=500_000, peak_bytes=1_000_000)


def count(shape, boxes):
    """For each element of an array of this shape, in how many of the boxes it lies."""
    found = np.zeros(shape, np.uint8)
    for begin, end in boxes:
        assert all(0 <= b < e <= n for b, e, n in zip(begin, end, shape, strict=True))
        found[tuple(map(slice, begin, end))] += 1
    return found


# -- stages and super-chunks ------------------------------------------------------------------


def check_stages(plan):
    targets = [k for stage in plan.stages for k in stage.targets]
    assert len(set(targets)) == len(targets)
    assert {k for k, level in enumerate(plan.levels) if level.is_built} <= set(targets)
    made = {k for k, level in enumerate(plan.levels) if not level.is_built}
    for stage in plan.stages:
        assert stage.base in made
        assert any(plan.levels[k].is_built for k in stage.targets)
        assert stage.targets == tuple(range(stage.base + 1, stage.base + 1 + len(stage.targets)))
        total = (1, 1, 1)
        for k, step in zip(stage.targets, stage.steps, strict=True):
            total = tuple(t * s for t, s in zip(total, step, strict=True))
            assert total == plan.levels[k].relative_to(plan.levels[stage.base])
            assert set(step) <= {1, 2}
        assert max(total) <= 8
        made |= set(stage.targets)
    assert made == set(range(plan.num_lods))


@pytest.mark.parametrize("num_lods", range(1, 13))
@pytest.mark.parametrize("voxel_size", [(8, 8, 8), (20, 8, 8), (8, 40, 8), (400, 400, 8)])
def test_stages(num_lods, voxel_size):
    plan = plan_of(volume((5000, 5000, 5000), voxel_size), num_lods=num_lods)
    check_stages(plan)
    assert all(level.is_built for level in plan.levels[1:])


def test_eight_lods_take_three_stages():
    stages = plan_of(volume(), num_lods=8).stages
    assert [(stage.base, stage.targets) for stage in stages] == [
        (0, (1, 2, 3)),
        (3, (4, 5, 6)),
        (6, (7,)),
    ]


def test_stages_around_what_is_there():
    for there in itertools.product([False, True], repeat=7):
        factors = (ISOTROPIC[0], *itertools.compress(ISOTROPIC[1:], there))
        plan = plan_of(volume(factors=factors), num_lods=8)
        assert [not level.is_built for level in plan.levels] == [True, *there]
        check_stages(plan)


@settings(deadline=None, max_examples=60)
@given(plans())
def test_super_chunks_tile_every_level_exactly(plan):
    check_stages(plan)
    for stage in plan.stages:
        all_jobs = [super_chunk_job(plan, stage, index) for index in indices(stage.grid)]
        source = plan.levels[stage.base]
        assert (count(source.shape, [(job.begin, job.end) for job in all_jobs]) == 1).all()
        for k in stage.targets:
            level = plan.levels[k]
            factor = level.relative_to(source)
            boxes = []
            for job in all_jobs:
                begin = tuple(b // f for b, f in zip(job.begin, factor, strict=True))
                end = tuple(-(-e // f) for e, f in zip(job.end, factor, strict=True))
                # whole cubes and whole chunks, except at the end of the array
                assert all(b % f == 0 for b, f in zip(job.begin, factor, strict=True))
                assert all(b % c == 0 for b, c in zip(begin, plan.chunks, strict=True))
                assert all(
                    e % c == 0 or e == n
                    for e, c, n in zip(end, plan.chunks, level.shape, strict=True)
                )
                boxes.append((begin, end))
            assert (count(level.shape, boxes) == 1).all()


@pytest.mark.parametrize(
    ("source", "built"),
    [
        ((64, 64, 64), (64, 64, 64)),
        ((1, 8, 31), (32, 32, 32)),
        ((33, 100, 127), (32, 96, 120)),
        ((128, 129, 4096), (128, 128, 128)),
    ],
)
def test_built_chunks(source, built):
    assert built_chunks(source) == built


# -- the octree -------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(plans())
def test_blocks_tile_the_octree_exactly(plan):
    for lod, level in enumerate(plan.levels):
        boxes = []
        for index in indices(plan.blocks(lod)):
            job = mesh_block_job(plan, lod, index)
            end = tuple(f + n for f, n in zip(job.first_cell, job.n_cells, strict=True))
            boxes.append((job.first_cell, end))
        assert (count(plan.n_cells[lod], boxes) == 1).all()
        for cells, cell, n in zip(
            plan.n_cells[lod], plan.cell_voxels[lod], level.shape, strict=True
        ):
            assert (cells - 1) * cell < n <= cells * cell


@settings(deadline=None, max_examples=60)
@given(plans())
def test_a_cell_is_eight_of_the_lod_below(plan):
    for lod in range(1, plan.num_lods):
        step = plan.levels[lod].relative_to(plan.levels[lod - 1])
        below, cell = plan.cell_voxels[lod - 1], plan.cell_voxels[lod]
        assert tuple(c * s for c, s in zip(cell, step, strict=True)) == tuple(2 * b for b in below)
        size = np.array(cell) * plan.levels[lod].voxel_size
        np.testing.assert_allclose(size[::-1], np.array(plan.grid.cell_nm) * 2**lod)


def test_octree_lies_at_the_corner_of_the_part():
    # The corner of the volume is at 1000 2000 3000 nm. The part begins at voxel 8 16 32.
    levels = volume((200, 200, 200), (40, 32, 16), (1020, 2016, 3008))
    roi = [[1000 + 8 * 40, 2000 + 16 * 32, 3000 + 32 * 16], [5000, 6000, 6000]]
    plan = plan_of(levels, roi=roi, cell_size=64)
    assert plan.begin == (8, 16, 32)
    assert plan.grid.origin_nm == (3512.0, 2512.0, 1320.0)
    assert plan.grid.cell_nm == (64 * 16, 64 * 32, 64 * 40)
    assert plan.levels[0].translation == (1340.0, 2528.0, 3520.0)


def test_lod_scales_are_resolutions():
    plan = plan_of(volume(voxel_size=(8, 8, 8)), num_lods=8)
    assert plan.grid.lod_voxels == (1, 2, 4, 8, 16, 32, 64, 128)
    assert plan.grid.scale_nm == pytest.approx(8)
    plan = plan_of(volume(voxel_size=(20, 8, 8)), num_lods=3)
    assert plan.grid.lod_voxels == pytest.approx((1, 4 ** (1 / 3), 32 ** (1 / 3)))
    for level, scale in zip(plan.levels, plan.grid.lod_voxels, strict=True):
        mean = math.prod(level.voxel_size) ** (1 / 3)
        assert scale * plan.grid.scale_nm == pytest.approx(mean)


# -- how many jobs ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(plans())
def test_num_jobs_counts_jobs(plan):
    jobs = sum(len(list(indices(stage.grid))) for stage in plan.needed_stages)
    jobs += sum(len(list(indices(plan.blocks(lod)))) for lod in range(plan.num_lods))
    bundles = sum(plan.bundles(lod) for lod in range(plan.num_lods))
    jobs -= max(len(blocks_together(plan)) - 1, 0)
    assert plan.num_jobs == jobs + bundles + plan.sharding.num_shards
    one_each = len(plan.needed_stages) + plan.num_lods + plan.sharding.num_shards
    assert plan.num_jobs <= max(plan.settings.max_jobs, one_each) + bundles


@pytest.mark.parametrize("n", [8_192, 32_768, 100_000])
@pytest.mark.parametrize("changes", [{}, {"num_lods": 10}, {"cell_size": 32}, {"max_jobs": 5000}])
def test_jobs_grow_with_the_volume(n, changes):
    settings, levels = settings_with(**changes), volume((n, n, n), chunks=(32, 32, 32))
    assert work_of(lambda: make_plan(settings, levels)).is_within(MOST)
    plan = make_plan(settings, levels)
    bundles = sum(plan.bundles(lod) for lod in range(plan.num_lods))
    assert plan.num_jobs <= plan.settings.max_jobs + bundles
    assert bundles <= 256 + plan.num_lods
    # no job is larger than necessary: one doubling less would be about twice as many jobs
    assert plan.num_jobs - plan.sharding.num_shards > plan.settings.max_jobs / 3
    finest = plan.block_cells[0]
    assert max(finest) <= 2 * min(finest)


def test_super_chunks_grow_on_where_the_octree_is_one_cell():
    plan = plan_of(
        volume((1000, 1000, 1000), chunks=(32, 32, 32)), num_lods=2, cell_size=1024, max_jobs=100
    )
    assert plan.blocks(0) == (1, 1, 1)
    assert 30 < plan.num_jobs <= 100


@pytest.mark.parametrize(
    ("shape", "num_shards"),
    [
        ((1, 1, 1), 1),
        ((1 << 10, 1 << 11, 1 << 11), 1),
        (((1 << 10) + 1, 1 << 11, 1 << 11), 2),
        ((8192, 8192, 8192), 128),
        ((100_000, 100_000, 100_000), 1024),
    ],
)
def test_shards_from_the_volume(shape, num_shards):
    sharding = plan_of(volume(shape)).sharding
    assert sharding.num_shards == num_shards
    n_voxels = math.prod(shape)
    assert n_voxels <= num_shards * VOXELS_PER_SHARD or num_shards == 1024
    assert n_voxels / 50_000 <= (num_shards << sharding.minishard_bits) * 1000


# -- the plan is a value ----------------------------------------------------------------------


def test_same_input_same_plan():
    one, other = anisotropic_plan(), anisotropic_plan()
    assert one == other
    assert hash(one) == hash(other)
    assert one is not other
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.begin = (0, 0, 0)


def test_repr_is_that_of_plain_numbers():
    text = repr(anisotropic_plan()) + repr(all_jobs(anisotropic_plan()))
    assert "np." not in text
    assert "array" not in text
    assert " at 0x" not in text


@pytest.mark.parametrize("seed", ["0", "1"])
def test_repr_is_the_same_in_another_process(seed):
    code = "import volumes as v; p = v.anisotropic_plan(); print(repr(p), repr(v.all_jobs(p)))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{REPO}/src:{REPO}/tests/helpers"},
        capture_output=True,
        text=True,
        check=True,
    )
    plan = anisotropic_plan()
    assert found.stdout.strip() == f"{plan!r} {all_jobs(plan)!r}"


def test_a_roi_outside_is_refused():
    with pytest.raises(UserError, match="config key roi"):
        plan_of(volume(), roi=[[9000, 0, 0], [9999, 9, 9]])


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ((1, 1, (1 << 21) * 256), None),
        ((1, 1, (1 << 21) * 256 + 1), "cell_size"),
        ((1 << 19,) * 3, None),
        ((1 << 19, 1 << 19, (1 << 19) + 1), "roi"),
        ((1 << 40,) * 3, "cell_size"),
    ],
)
def test_more_than_the_octree_and_the_shards_have_room_for(shape, key):
    def planned():
        with pytest.raises(UserError, match=f"^config key {key}: .*$") if key else nullcontext():
            assert plan_of(volume(shape)).num_jobs <= 20_000

    assert work_of(planned).is_within(MOST)


# -- blocks of one job -------------------------------------------------------------------------

AUTO = {"multires_strategy": "auto"}


@pytest.mark.parametrize(
    ("shape", "changes", "lods"),
    [
        ((181, 155, 143), {"num_lods": 4}, {0, 1, 2, 3}),
        ((181, 155, 143), {"num_lods": 1}, set()),
        ((512, 512, 512), {"num_lods": 4}, {2, 3}),
        ((512, 512, 512), {"num_lods": 3}, set()),
        ((200, 200, 200), {"num_lods": 2}, set()),
        ((200, 200, 200), {"num_lods": 2} | AUTO, {0, 1}),
        ((256, 256, 256), {"num_lods": 3} | AUTO, {0, 1, 2}),
        ((512, 512, 512), {"num_lods": 3, "cell_size": 512} | AUTO, {1, 2}),
        ((300, 300, 300), {"num_lods": 2, "cell_size": 512} | AUTO, set()),
        ((8192, 8192, 8192), {"num_lods": 4}, set()),
        ((8192, 8192, 8192), {"num_lods": 10}, {6, 7, 8, 9}),
    ],
    ids=str,
)
def test_small_lods_are_one_job(shape, changes, lods):
    """Never one that has blocks for several cores, unless they are small, and none alone."""
    plan = plan_of(volume(shape, chunks=(64, 64, 64)), **changes)
    found = blocks_together(plan)
    assert {lod for lod, _ in found} == lods
    assert found == sorted(found) and len(found) != 1
    assert {(lod, i) for lod in lods for i in indices(plan.blocks(lod))} == set(found)
    voxels = sum(math.prod(plan.levels[lod].shape) for lod in lods)
    is_chain = len(found) == len(lods) and all(map(plan.is_of_fragments, sorted(lods)[1:]))
    assert voxels <= (MAX_CHAIN_VOXELS if is_chain else MAX_TOGETHER_VOXELS)


# -- bundles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1000, 8_192, 32_768, 100_000])
@pytest.mark.parametrize("max_jobs", [100, 20_000, 100_000])
def test_shards_open_few_files(n, max_jobs):
    """At most 13 million times; and less than a million times from bundles."""
    plan = plan_of(volume((n, n, n), chunks=(128, 128, 128)), max_jobs=max_jobs, num_lods=4)
    blocks = sum(math.prod(plan.blocks(lod)) for lod in range(plan.num_lods))
    bundles = sum(plan.bundles(lod) for lod in range(plan.num_lods))
    if bundles:
        assert 3 * bundles * plan.sharding.num_shards + blocks + bundles < 1_000_000
        assert blocks * plan.sharding.num_shards > 4_000_000
        # all parts of a bundle are open at once, and many systems allow 1,024 files
        assert plan.blocks_per_bundle < 1000
    else:
        assert 3 * blocks * plan.sharding.num_shards < 13_000_000


@pytest.mark.parametrize("limit", [0, 100, 1 << 40])
def test_every_block_is_in_one_bundle(limit, monkeypatch):
    monkeypatch.setattr("snakemesh.plan.blocks.MAX_SECTIONS", limit)
    monkeypatch.setattr("snakemesh.plan.blocks.BUNDLED_SECTIONS", 30)
    plan = plan_of(volume((2000, 1800, 900), chunks=(64, 64, 64)), num_lods=3)
    for lod in range(plan.num_lods):
        bundled = [i for n in range(plan.bundles(lod)) for i in blocks_of_bundle(plan, lod, n)]
        expected = list(indices(plan.blocks(lod)))
        assert bundled == (expected if plan.bundles(0) else [])
