import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_blocks import small_blocks
from snakemesh.boxes import indices
from snakemesh.halo import halo_voxels
from snakemesh.job_records import BuiltLevel, LevelPart, LinkedLevel
from snakemesh.mesh.tiles import tiles_of
from snakemesh.plan import jobs
from snakemesh.plan.levels_group import pyramid_group
from volumes import (
    ISOTROPIC,
    all_jobs,
    anisotropic_plan,
    plan_of,
    plans,
    volume,
)


def written(plan, number, index, level):
    """Begin and end of the box that a super-chunk writes to a level, in voxels of the level."""
    stage = plan.stages[number]
    job = jobs.super_chunk_job(plan, stage, index)
    factor = plan.levels[level].relative_to(plan.levels[stage.base])
    begin = [b // f for b, f in zip(job.begin, factor, strict=True)]
    end = [-(-e // f) for e, f in zip(job.end, factor, strict=True)]
    return begin, end


def overlap(a, b):
    return bool(np.all(np.maximum(a[0], b[0]) < np.minimum(a[1], b[1])))


def makers(plan, level, box):
    """The super-chunks that write into a box of a level, found by looking at each of them."""
    if not plan.levels[level].is_built:
        return set()
    return {
        (number, index)
        for number, stage in enumerate(plan.stages)
        if level in stage.targets
        for index in indices(stage.grid)
        if overlap(box, written(plan, number, index, level))
    }


def check_dependencies(plan):
    """Check that each job waits for exactly the jobs that make what it reads; return how many."""
    total = 0
    for lod, level in enumerate(plan.levels):
        margin = halo_voxels(plan.settings.n_smoothing_iter >> lod)
        for index in indices(plan.blocks(lod)):
            job = jobs.mesh_block_job(plan, lod, index)
            corner = np.array(job.first_cell) * job.cell_voxels
            far = corner + np.array(job.n_cells) * job.cell_voxels
            box = (np.maximum(corner - margin, 0), np.minimum(far + margin, level.shape))
            found = jobs.super_chunks_for_block(plan, lod, index)
            assert len(set(found)) == len(found)
            is_read = not plan.is_of_fragments(lod)
            assert set(found) == (makers(plan, lod, box) if is_read else set())
            total += len(found)
    for number, stage in enumerate(plan.stages):
        for index in indices(stage.grid):
            job = jobs.super_chunk_job(plan, stage, index)
            found = jobs.super_chunks_for_super_chunk(plan, stage, index)
            assert set(found) == makers(plan, stage.base, (job.begin, job.end))
            assert all(earlier < number for earlier, _ in found)
            total += len(found)
    return total


@settings(deadline=None, max_examples=60)
@given(plans())
def test_jobs_wait_for_what_they_read(plan):
    check_dependencies(plan)


@pytest.mark.parametrize("n_smoothing_iter", [0, 5, 40])
@pytest.mark.parametrize("there", [(), (1,), (2, 4), (3,)])
def test_jobs_of_later_stages_wait_for_earlier_ones(there, n_smoothing_iter):
    levels = volume(
        (2500, 300, 200),
        factors=(ISOTROPIC[0], *(ISOTROPIC[k] for k in there)),
        chunks=(32, 32, 32),
    )
    plan = plan_of(levels, num_lods=6, cell_size=32, n_smoothing_iter=n_smoothing_iter)
    assert len(plan.stages) == 2
    assert check_dependencies(plan) > 0


def test_a_block_looks_past_its_super_chunk_by_its_halo():
    # at level 1, cells have 64 voxels on each axis and super-chunks write 64
    with small_blocks():
        plan = plan_of(volume((512, 64, 64)), num_lods=2, cell_size=64, n_smoothing_iter=5)
    assert plan.stages[0].super_chunk == (128, 128, 128)
    found = [
        [index[0] for _, index in jobs.super_chunks_for_block(plan, 1, (z, 0, 0))]
        for z in range(plan.blocks(1)[0])
    ]
    assert found == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]]


def test_levels_that_are_there_wait_for_nothing():
    plan = plan_of(volume((500,) * 3, factors=ISOTROPIC[:4]))
    assert plan.stages == ()
    assert check_dependencies(plan) == 0


# -- super-chunks -----------------------------------------------------------------------------


def test_a_super_chunk_skips_what_is_there():
    levels = volume((300, 300, 300), factors=(ISOTROPIC[0], ISOTROPIC[2]))
    plan = plan_of(levels, downsample_method="nearest")
    (stage,) = plan.stages
    job = jobs.super_chunk_job(plan, stage, (0, 0, 0))
    pyramid = "/meshes/_intermediate_scales.zarr"
    roots = [files and files.root for files in job.targets]
    assert roots == [f"{pyramid}/s1", None, f"{pyramid}/s3"]
    assert job.steps == ((2, 2, 2),) * 3
    assert job.reads == LevelPart("/data/seg/s0", None, (0, 0, 0), (300, 300, 300))
    assert job.method == "nearest"


def test_what_is_read_is_the_part_that_is_meshed():
    plan = plan_of(
        volume((300,) * 3, (8,) * 3, (4,) * 3, ISOTROPIC[:2]),
        num_lods=3,
        roi=[[80, 800, 0], [1600, 2400, 160]],
    )
    begin, extent = (8, 100, 0), (192, 200, 20)
    assert (plan.begin, plan.end) == (begin, (200, 300, 20))
    parts = [jobs.mesh_block_job(plan, lod, (0, 0, 0)).reads for lod in range(3)]
    assert parts == [
        LevelPart("/data/seg/s0", None, begin, extent),
        LevelPart("/data/seg/s1", None, (4, 50, 0), (96, 100, 10)),
        LevelPart("/meshes/_intermediate_scales.zarr/s2", None, (0, 0, 0), (48, 50, 5), True),
    ]


# -- blocks -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(plans())
def test_tiles_tile_every_block(plan):
    for lod in range(plan.num_lods):
        found = np.zeros(plan.n_cells[lod], np.uint8)
        for index in indices(plan.blocks(lod)):
            for first, n_cells in tiles_of(jobs.mesh_block_job(plan, lod, index)):
                end = [f + n for f, n in zip(first, n_cells, strict=True)]
                found[tuple(map(slice, first, end))] += 1
                assert all(n <= t for n, t in zip(n_cells, plan.tile_cells[lod], strict=True))
        assert (found == 1).all()


def test_indices_run_along_x_first():
    assert list(indices((2, 1, 2))) == [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]


def test_a_cell_of_a_block_in_nm():
    plan = plan_of(volume((500, 500, 500), (40, 16, 8)), cell_size=64)
    for lod in range(4):
        job = jobs.mesh_block_job(plan, lod, (0, 0, 0))
        assert job.cell_nm == (512 * 2**lod, 1024 * 2**lod, 2560 * 2**lod)
        in_nm = np.array(job.cell_voxels) * plan.levels[lod].voxel_size
        assert tuple(in_nm[::-1]) == job.cell_nm


# -- how many faces, how smooth ---------------------------------------------------------------


def voxel_faces(voxel_size):
    """Number of voxel faces of a surface whose projection along each axis has one nm^2."""
    z, y, x = voxel_size
    return 1 / (y * x) + 1 / (z * x) + 1 / (z * y)


def faces_of_a_ball(voxel_size, radius=400):
    """Number of voxel faces of a ball of this radius in nm, found by counting."""
    axes = [np.arange(-radius - v, radius + v, v) + v / 3 for v in voxel_size]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    inside = z**2 + y**2 + x**2 < radius**2
    return sum(np.count_nonzero(np.diff(inside, axis=axis)) for axis in range(3))


@pytest.mark.parametrize("voxel_size", [(8, 8, 8), (20, 8, 8), (8, 40, 8)])
def test_kept_faces_of_a_ball(voxel_size):
    plan = plan_of(volume(voxel_size=voxel_size), num_lods=3)
    kept = [
        jobs.kept_faces(plan, lod) * faces_of_a_ball(level.voxel_size)
        for lod, level in enumerate(plan.levels)
    ]
    for finer, coarser in zip(kept, kept[1:], strict=False):
        assert finer / coarser == pytest.approx(6, rel=0.03)


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(*[st.sampled_from([8.0, 20.0, 40.0])] * 3),
    st.sampled_from([0, 0.5, 0.933, 0.99]),
    st.sampled_from([1, 4, 6, 10]),
)
def test_each_lod_has_a_part_of_the_faces_of_the_one_before(voxel_size, reduction, factor):
    plan = plan_of(
        volume(voxel_size=voxel_size),
        num_lods=6,
        target_reduction=reduction,
        decimation_factor=factor,
    )
    kept = [jobs.kept_faces(plan, lod) for lod in range(6)]
    assert kept[0] == pytest.approx(1 - reduction)
    dense = [voxel_faces(level.voxel_size) for level in plan.levels]
    for lod in range(6):
        wanted = (1 - reduction) * dense[0] / factor**lod
        assert kept[lod] * dense[lod] == pytest.approx(min(wanted, dense[lod]))
        assert 0 < kept[lod] <= 1
        assert jobs.mesh_block_job(plan, lod, (0, 0, 0)).keep == kept[lod]


def test_kept_faces_of_isotropic_data():
    plan = plan_of(volume(), num_lods=4)
    kept = [jobs.kept_faces(plan, lod) for lod in range(4)]
    assert kept == pytest.approx([0.067 * (4 / 6) ** lod for lod in range(4)])
    plan = plan_of(volume(), num_lods=4, target_reduction=0, decimation_factor=1)
    assert [jobs.kept_faces(plan, lod) for lod in range(4)] == [1, 1, 1, 1]


def test_smoothing_halves():
    plan = plan_of(volume(), num_lods=4)
    assert [jobs.smoothing_iterations(plan, lod) for lod in range(4)] == [5, 2, 1, 0]
    found = [jobs.mesh_block_job(plan, lod, (0, 0, 0)).n_smoothing_iter for lod in range(4)]
    assert found == [5, 2, 1, 0]


# -- what depends on what ---------------------------------------------------------------------


def test_jobs_are_values():
    plan = anisotropic_plan()
    everything = [
        *all_jobs(plan),
        pyramid_group(plan),
        jobs.shard_job(plan),
    ]
    assert pickle.loads(pickle.dumps(everything)) == everything
    assert len({hash(job) for job in everything}) == len(everything)


# -- the group of the built levels ------------------------------------------------------------


def test_group_of_a_whole_volume():
    plan = plan_of(volume((100, 100, 70), (8, 8, 8), (4, 4, 4), ISOTROPIC[:2]), num_lods=3)
    group = pyramid_group(plan)
    assert group.path == "/meshes/_intermediate_scales.zarr"
    assert (group.format, group.dtype, group.chunks) == ("zarr2", "uint64", (64, 64, 64))
    assert group.linked == (
        LinkedLevel("s0", "/data/seg/s0", (8, 8, 8), (4, 4, 4)),
        LinkedLevel("s1", "/data/seg/s1", (16, 16, 16), (8, 8, 8)),
    )
    assert group.built == (BuiltLevel("s2", (25, 25, 18), (32, 32, 32), (16, 16, 16)),)


def test_group_of_a_part_links_whole_levels():
    plan = plan_of(
        volume((100, 100, 70), (8, 8, 8), (4, 4, 4), format="zarr3"),
        num_lods=2,
        roi=[[80, 160, 240], [160, 320, 480]],
    )
    group = pyramid_group(plan)
    assert group.format == "zarr3"
    assert group.linked == (LinkedLevel("s0", "/data/seg/s0", (8, 8, 8), (4, 4, 4)),)
    # the first voxel of s1 spans 80 to 96, 160 to 176 and 240 to 256 nm
    assert group.built == (BuiltLevel("s1", (5, 10, 15), (16, 16, 16), (88, 168, 248)),)


@pytest.mark.parametrize("change", [{"format": "n5"}, {"path": "https://host/seg/s0"}])
def test_group_links_only_local_zarr(change):
    (level,) = volume()
    group = pyramid_group(plan_of((dataclasses.replace(level, **change),)))
    assert group.linked == ()
    assert group.format == "zarr2"
    assert [level.name for level in group.built] == ["s1", "s2", "s3"]


def test_voxels_of_all_super_chunks_are_those_of_the_part():
    plan = anisotropic_plan()
    stage = plan.stages[0]
    boxes = [jobs.super_chunk_job(plan, stage, index) for index in indices(stage.grid)]
    voxels = sum(math.prod(e - b for b, e in zip(job.begin, job.end, strict=True)) for job in boxes)
    assert voxels == math.prod(plan.levels[0].shape)
