"""What the plan knows for the report: every job once, with what was expected of it."""

import json
from unittest import mock

import pytest

from snakemesh.console import expected
from snakemesh.console.expected import expected_steps, levels_there, planned_facts
from snakemesh.cost.estimates import MEASURED_EXAMPLE_S, START_S, plan_work
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.job_counts import job_counts
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.survey.input_state import InputState
from volumes import plan_of, volume

FOLDER = OutputFolder("out")


@pytest.fixture(scope="module")
def fingerprints():
    plan = plan_of(volume((900, 800, 700)), num_lods=3, cell_size=64)
    return Fingerprints(plan, InputState(plan, {}))


def test_every_job_once(fingerprints):
    steps = expected_steps(fingerprints, FOLDER)
    made = [step for step in steps if not step.name.startswith("verify")]
    assert [step.name for step in made] == [
        "pyramid_super_chunk, s1, s2",
        *(f"mesh_block, LOD {lod}" for lod in range(3)),
        "shard",
        "multires_index",
    ]
    counts = job_counts(fingerprints.plan)
    only_markers = {"example", "pyramid_levels", "mesh_blocks_done", "cleanup", "all"}
    assert sum(step.count for step in made) == sum(
        n for rule, n in counts.items() if rule not in only_markers
    )
    paths = [path for step in steps for path, _ in step.jobs]
    assert len(set(paths)) == len(paths) == sum(step.count for step in steps)
    seconds = sum(seconds for step in made for _, seconds in step.jobs)
    example = MEASURED_EXAMPLE_S + START_S * len(only_markers)
    assert seconds == pytest.approx(plan_work(fingerprints.plan).seconds - example, rel=0.01)


def test_shards_to_measure_are_a_step():
    plan = plan_of(volume((900, 800, 700)), num_lods=3, cell_size=64, measures=("curvature",))
    steps = expected_steps(Fingerprints(plan, InputState(plan, {})), FOLDER)
    (step,) = (step for step in steps if step.name.startswith("measure"))
    assert (step.name, step.count) == ("measure_shard", plan.sharding.num_shards)


def test_small_lods_are_a_step():
    plan = plan_of(volume((181, 155, 143)), num_lods=4, cell_size=64)
    steps = expected_steps(Fingerprints(plan, InputState(plan, {})), FOLDER)
    assert not [step.name for step in steps if step.name.startswith("mesh_block")]
    (together,) = (step for step in steps if step.name == "mesh_small_lods")
    ((path, _),) = together.jobs
    assert path.startswith("out/benchmarks/mesh_small_lods.")


def test_bundles_are_a_step(monkeypatch):
    monkeypatch.setattr("snakemesh.plan.blocks.MAX_SECTIONS", 0)
    monkeypatch.setattr("snakemesh.plan.blocks.BUNDLED_SECTIONS", 9)
    plan = plan_of(volume((900, 800, 700)), num_lods=3, cell_size=64)
    steps = expected_steps(Fingerprints(plan, InputState(plan, {})), FOLDER)
    (bundles,) = (step for step in steps if step.name == "mesh_bundle")
    assert bundles.count == sum(plan.bundles(lod) for lod in range(3)) > 3
    paths = {path for path, _ in bundles.jobs}
    assert len(paths) == bundles.count
    assert all(path.startswith("out/benchmarks/mesh_bundle/lod") for path in paths)


def test_of_many_jobs_some_spread_evenly(fingerprints):
    with mock.patch.object(expected, "MOST_JOBS", 3):
        steps = expected_steps(fingerprints, FOLDER)
    block = next(step for step in steps if step.name == "mesh_block, LOD 0")
    assert block.count > 6 and len(block.jobs) == 3
    assert len({path for path, _ in block.jobs}) == 3


def test_the_facts_fit_into_json_and_name_the_levels_that_stay(fingerprints):
    found = json.loads(json.dumps(planned_facts(fingerprints, FOLDER)))
    assert [level["number"] for level in levels_there(fingerprints.plan)] == [0]
    assert found["plan"].startswith("The plan for")
    assert "to run" not in found["plan"]
    plan = plan_of(volume((90, 80, 70)), num_lods=2, delete_intermediate_scales=False)
    kept = levels_there(plan)
    assert [level["number"] for level in kept] == [0, 1]
    for level, planned in zip(kept, plan.levels, strict=True):
        first = [c + v / 2 for c, v in zip(level["corner_nm"], level["voxel_nm"], strict=True)]
        assert first == list(planned.translation)
