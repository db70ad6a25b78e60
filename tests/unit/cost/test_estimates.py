import itertools

import pytest
from hypothesis import given

from snakemesh.boxes import indices
from snakemesh.cost.estimates import Work, job_work, level_bytes, mesh_bytes, plan_work
from snakemesh.plan.together import blocks_together
from volumes import plan_of, plans, volume


def all_jobs(plan):
    """Rule and wildcards of every job of the rules that have more than one."""
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


def test_bundles_add_up_too(monkeypatch):
    monkeypatch.setattr("snakemesh.plan.bundles.MAX_SECTIONS", 0)
    monkeypatch.setattr("snakemesh.plan.bundles.BUNDLED_SECTIONS", 9)
    plan = plan_of(volume((2000, 1800, 900)), num_lods=3)
    works = [job_work(plan, rule, wildcards) for rule, wildcards in all_jobs(plan)]
    total, whole = sum(works, Work(0, 0)), plan_work(plan)
    assert len(works) == plan.num_jobs and plan.bundles(0) > 3
    assert total.voxels == pytest.approx(whole.voxels, abs=len(works))
    assert total.seconds == pytest.approx(whole.seconds, rel=1e-6)


def test_what_only_gathers_is_a_start():
    plan = plan_of(volume((512,) * 3, chunks=(128,) * 3))
    rules = ("all", "fragments", "multires_index", "cleanup", "pyramid_levels", "example")
    works = {job_work(plan, rule, {}) for rule in rules}
    assert len(works) == 1 and works.pop().voxels == 0


def test_bytes_are_those_of_the_levels():
    """The voxels are isotropic, so a level has an eighth of the voxels of the level before it."""
    small, large = (plan_of(volume((n,) * 3, chunks=(128,) * 3)) for n in (512, 1024))
    assert mesh_bytes(large) == pytest.approx(8 * mesh_bytes(small), abs=8)
    assert level_bytes(large) == pytest.approx(8 * level_bytes(small), abs=8)
    # the finest level that is built has an eighth of the voxels of s0
    assert level_bytes(small) * 6 < mesh_bytes(small)
    assert list(itertools.islice(all_jobs(small), 1))[0][0] == "pyramid_super_chunk"
