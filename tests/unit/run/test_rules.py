"""What rules wait for, are told and ask for, without Snakemake."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Wildcards

from snakemesh.boxes import box_index, box_name
from snakemesh.cost.failure_reasons import MEMORY, TIME
from snakemesh.cost.resources import resources_of
from snakemesh.output.folder import OutputFolder
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.run.measuring import Measuring
from snakemesh.run.meshing import Meshing
from snakemesh.run.pyramid import Pyramid
from snakemesh.run.result import Result
from snakemesh.run.run import Run
from snakemesh.run.verification import Verification
from snakemesh.survey.input_state import InputState
from volumes import plan_of, volume


def wildcards(**values: object) -> Wildcards:
    return Wildcards(fromdict={name: str(value) for name, value in values.items()})


@pytest.fixture
def opened(tmp_path):
    """Opens the run of a volume, as the process that plans or as that of a job."""

    def call(plans: bool = True, shape=(300, 200, 200), **changes: object) -> Run:
        plan = plan_of(volume(shape), cell_size=64, num_lods=3, **changes)
        workflow = SimpleNamespace(
            is_main_process=plans, local_exec=False, dag=SimpleNamespace(forcefiles=set())
        )
        fingerprints = Fingerprints(plan, InputState(plan, {}))
        out = OutputFolder(str(tmp_path / "out"))
        return Run(workflow, False, plan.settings, out, plan, {}, {}, fingerprints)

    return call


def blocks_of(run: Run) -> list[tuple[int, str]]:
    """LOD and box of every block, by the names of the containers."""
    found = []
    for path in Meshing(run).containers():
        lod, box = Path(path).parts[-2:]
        found.append((int(lod.removeprefix("lod")), box.partition(".")[0]))
    return found


def test_every_product_that_a_rule_waits_for_is_one_that_a_rule_makes(opened):
    run = opened()
    pyramid, meshing = Pyramid(run), Meshing(run)
    made = {*pyramid.markers(), *meshing.containers()}
    waited_for = {
        path
        for lod, box in blocks_of(run)
        for path in meshing.before_block(wildcards(lod=lod, box=box))
    }
    stages = [
        (number, box_name(index))
        for number, stage in enumerate(run.plan.stages)
        for index in itertools.product(*map(range, stage.grid))
    ]
    assert stages
    for stage, box in stages:
        waited_for.update(pyramid.before_super_chunk(wildcards(stage=stage, box=box)))
    assert waited_for and waited_for <= made
    assert set(pyramid.markers()) <= waited_for
    assert set(meshing.read_by_shards(None)) == set(meshing.containers())


def test_what_is_there_is_not_waited_for(opened):
    run = opened()
    first, *others = Pyramid(run).markers()
    Path(first).parent.mkdir(parents=True)
    Path(first).touch()
    run.__dict__["damage"] = {}  # a marker that says nothing would count as damaged
    assert run.missing([first, *others]) == others
    run.damage[first] = "it is damaged"
    assert run.missing([first, *others]) == [first, *others]
    run.target([first])
    assert run.workflow.dag.forcefiles == {first}
    job = opened(plans=False)  # it finds all of them there, and makes nothing again
    assert job.missing([first, *others]) == [first, *others]
    assert job.target([first], [first]) == [first]
    assert not job.workflow.dag.forcefiles


def test_a_job_of_another_plan_is_refused(opened):
    run, other = opened(), opened(target_reduction=0.5)
    lod, box = 0, "0_0_0"
    for each, is_same in ((run, True), (other, False)):
        name = each.fingerprints.block(lod, box_index(box))
        asked = wildcards(lod=lod, box=box, fingerprint=name)
        if is_same:
            assert Meshing(run).block(asked).lod == lod
        else:
            with pytest.raises(WorkflowError, match="belongs to an earlier run"):
                Meshing(run).block(asked)


def test_a_second_attempt_asks_for_what_was_short(opened):
    run = opened()
    one, other = wildcards(lod=1, box="0_0_0"), wildcards(lod=1, box="1_0_0")
    run.shortages.note("mesh_block", one, [MEMORY])
    mem_mb, runtime = run.resources("mesh_block").values()
    first = resources_of(run.plan, "mesh_block", 1)
    assert (mem_mb(one), mem_mb(other)) == (2 * first.mem_mb, first.mem_mb)
    assert runtime(one) == runtime(other) == first.runtime
    run.shortages.note("mesh_block", one, [TIME])
    assert runtime(one) == 2 * first.runtime
    assert mem_mb(wildcards(lod=0, box="0_0_0")) == resources_of(run.plan, "mesh_block", 0).mem_mb


def test_only_short_jobs_form_groups_and_only_on_a_cluster(opened):
    run = opened()
    group = run.if_short("mesh_block", "mesh_lod{lod}")
    assert group(wildcards(lod=1, box="0_0_0")) == "mesh_lod1"
    run.workflow.local_exec = True
    assert group(wildcards(lod=1, box="0_0_0")) is None
    large = opened(shape=(20_000,) * 3, max_jobs=10)
    assert large.if_short("mesh_block", "mesh_lod{lod}")(wildcards(lod=0, box="0_0_0")) is None


def test_a_result_has_what_was_to_be_kept(opened):
    def products(**changes: object) -> set[str]:
        run = opened(**changes)
        pyramid, meshing = Pyramid(run), Meshing(run)
        result = Result(run, pyramid, meshing, Measuring(run))
        assert not result.is_done
        assert run.missing(result.products()) == result.products()
        assert result.target(None) == [result.marker]
        assert result.marker in run.workflow.dag.forcefiles
        assert Verification(run, result).finished(None) == [result.marker]
        return set(result.products())

    least = products(delete_intermediate_scales=True)
    assert not any("pyramid" in path or "lod" in path for path in least)
    assert products(delete_intermediate_scales=False) > least
    kept = products(delete_intermediate_scales=True, keep_fragments=True)
    assert sum(path.endswith(".fragments") for path in kept) == len(blocks_of(opened()))


def test_one_that_is_done_makes_nothing(opened):
    run = opened()
    result = Result(run, Pyramid(run), Meshing(run), Measuring(run))
    for path in [*result.products(), result.marker]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    run.__dict__["damage"] = {}  # markers that say nothing would count as damaged
    assert result.is_done
    run.damage[result.products()[0]] = "it is damaged"
    again = Result(run, Pyramid(run), Meshing(run), Measuring(run))
    assert not again.is_done
