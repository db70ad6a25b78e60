from dataclasses import replace

import pytest
from hypothesis import given

from snakemesh.boxes import indices
from snakemesh.cost.estimates import (
    MEASURED_EXAMPLE_S,
    Work,
    job_work,
    level_bytes,
    mesh_bytes,
    plan_work,
    result_bytes,
)
from snakemesh.plan.box_figures import BoxFigures, Sample
from snakemesh.plan.job_counts import job_counts
from snakemesh.plan.together import blocks_together
from volumes import plan_of, plans, volume


def all_jobs(plan):
    """Rule and wildcards of every job of a plan that verifies nothing."""
    for rule, n in job_counts(plan).items():
        if rule not in (*plan.many_jobs, "measure_shard"):
            assert n == 1
            yield rule, {}
    for number, stage in enumerate(plan.needed_stages):
        for index in indices(stage.grid):
            yield "pyramid_super_chunk", {"stage": str(number), "box": "_".join(map(str, index))}
    together = blocks_together(plan)
    if together:
        yield "mesh_small_lods", {}
    for lod in range(plan.num_lods):
        for index in (i for i in indices(plan.blocks(lod)) if (lod, i) not in together):
            yield "mesh_block", {"lod": str(lod), "box": "_".join(map(str, index))}
        for bundle in range(plan.bundles(lod)):
            yield "mesh_bundle", {"lod": str(lod), "bundle": str(bundle)}
    for shard in range(plan.sharding.num_shards):
        yield "shard", {"shard": f"{shard:x}"}
        if "curvature" in plan.settings.measures:
            yield "measure_shard", {"shard": f"{shard:x}"}


@given(plan=plans())
def test_the_jobs_add_up_to_the_plan(plan):
    """Each voxel of a level counts once for each rule that processes it."""
    if plan.num_jobs > 500:
        return
    works = [job_work(plan, rule, wildcards) for rule, wildcards in all_jobs(plan)]
    total, whole = sum(works, Work(0, 0)), plan_work(plan)
    # the voxels of each shard are rounded down
    assert whole.voxels - len(works) <= total.voxels <= whole.voxels
    assert total.seconds == pytest.approx(whole.seconds, rel=1e-6)


def test_measures_of_meshes_add_up_too():
    plan = plan_of(volume((2000, 1800, 900)), num_lods=3, measures=("curvature",))
    works = [job_work(plan, rule, wildcards) for rule, wildcards in all_jobs(plan)]
    total, whole = sum(works, Work(0, 0)), plan_work(plan)
    assert len(works) == sum(job_counts(plan).values())
    assert total.seconds == pytest.approx(whole.seconds, rel=1e-6)
    without = plan_work(plan_of(volume((2000, 1800, 900)), num_lods=3)).seconds
    assert 1.05 * without < whole.seconds < 1.6 * without


@pytest.mark.parametrize("boxes", [(), (BoxFigures((0.0,) * 3, (0.0,) * 3, 0.0, 0.0, 1.0),)])
def test_a_sample_without_a_surface(boxes):
    """All that was read may be background, or one label."""
    plan = plan_of(volume((200, 180, 90)), num_lods=3, measures=("curvature",))
    plan = replace(plan, sample=Sample(boxes, 1.0, 0.1))
    start = job_work(plan, "cleanup", {}).seconds
    assert job_work(plan, "measure_shard", {"shard": "0"}).seconds == start
    assert start < plan_work(plan).seconds < 60


def test_bundles_add_up_too(monkeypatch):
    monkeypatch.setattr("snakemesh.plan.blocks.MAX_SECTIONS", 0)
    monkeypatch.setattr("snakemesh.plan.blocks.BUNDLED_SECTIONS", 9)
    plan = plan_of(volume((2000, 1800, 900)), num_lods=3)
    works = [job_work(plan, rule, wildcards) for rule, wildcards in all_jobs(plan)]
    total, whole = sum(works, Work(0, 0)), plan_work(plan)
    assert len(works) == sum(job_counts(plan).values()) and plan.bundles(0) > 3
    assert total.voxels == pytest.approx(whole.voxels, abs=len(works))
    assert total.seconds == pytest.approx(whole.seconds, rel=1e-6)


def test_what_only_gathers_is_a_start():
    plan = plan_of(volume((512,) * 3, chunks=(128,) * 3))
    rules = ("all", "fragments", "multires_index", "cleanup", "pyramid_levels")
    works = {job_work(plan, rule, {}) for rule in rules}
    assert len(works) == 1 and works.pop().voxels == 0


def test_bytes_are_those_of_the_levels():
    """The voxels are isotropic, so a level has an eighth of the voxels of the level before it."""
    small, large = (plan_of(volume((n,) * 3, chunks=(128,) * 3)) for n in (512, 1024))
    assert mesh_bytes(large) == pytest.approx(8 * mesh_bytes(small), abs=8)
    assert level_bytes(large) == pytest.approx(8 * level_bytes(small), abs=8)
    # the finest level that is built has an eighth of the voxels of s0
    assert level_bytes(small) * 5 < mesh_bytes(small)


def test_verifying_takes_time():
    plan, verified = (plan_of(volume((512,) * 3), verify=verify) for verify in (False, True))
    boxes = [{"box": "_".join(map(str, index))} for index in indices(verified.blocks(0))]
    works = [job_work(verified, "verify_voxels", box) for box in boxes]
    works += [job_work(verified, "verify_shard", {})] + 2 * [job_work(verified, "verify_table", {})]
    seconds = sum(work.seconds for work in works)
    assert plan_work(verified).seconds - plan_work(plan).seconds == pytest.approx(seconds)


# CPU seconds in the logs of all jobs together, on the machine of MEASURED_DENSE_FACES_PER_S; MB of
# `multires`. faces: triangles per voxel of s0 in the sample of the volume; None for the example,
# which has no sample.
RUNS = {
    "example": ((160, 384, 256), (20, 8, 8), None, 7.2, 3.09),
    "pinky40, 256": ((256,) * 3, (40, 32, 32), 0.520, 4.6, 2.77),
    "pinky40, 512": ((512,) * 3, (40, 32, 32), 0.673, 46.1, 24.5),
}


@pytest.mark.parametrize(("shape", "voxel_nm", "faces", "took", "left_mb"), RUNS.values(), ids=RUNS)
def test_a_plan_expects_what_runs_took(shape, voxel_nm, faces, took, left_mb):
    plan = plan_of(volume(shape, voxel_nm), num_lods=3, multires_strategy="auto")
    counted = job_counts(plan)["example"]
    if faces is not None:
        figures = BoxFigures((faces,) * 3, (2e-5,) * 3, 0.0, 0.1, 1.0)
        plan = replace(plan, sample=Sample((figures,), 1.0, 0.1))
        took += counted * MEASURED_EXAMPLE_S  # volumes of tests are planned before they are made
    assert took / 1.4 < plan_work(plan).seconds < took * 1.4
    assert left_mb / 1.4 < result_bytes(plan) / 1e6 < left_mb * 1.4
