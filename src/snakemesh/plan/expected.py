"""What every job of an output was expected to take, and where its measurement is: for the report.

Jobs that only write a marker are left out.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from snakemesh.boxes import Index, box_name, indices
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.estimates import job_work
from snakemesh.plan.jobs import level_part, shard_names
from snakemesh.plan.made_from import MadeFrom
from snakemesh.plan.plan import Plan
from snakemesh.plan.resources import (
    bundle_mem_mb,
    bundle_runtime,
    index_mem_mb,
    index_runtime,
    label_map_mem_mb,
    label_map_runtime,
    mesh_mem_mb,
    mesh_runtime,
    pyramid_mem_mb,
    pyramid_runtime,
    shard_mem_mb,
    shard_runtime,
    small_lods_mem_mb,
    small_lods_runtime,
    verify_mem_mb,
    verify_runtime,
    verify_voxels_mem_mb,
    verify_voxels_runtime,
)
from snakemesh.plan.summary import plan_summary
from snakemesh.plan.together import blocks_together

# Of the jobs of a step, at most so many are looked at, spread evenly.
MOST_JOBS = 4000


@dataclass(frozen=True)
class Step:
    """The jobs of a rule, or those of a rule that belong to one LOD or one stage.

    count: of jobs. mem_mb, minutes: what the first attempt at a job asks for. jobs: of each of
    them, or of MOST_JOBS, the file of its benchmark and the seconds that it was expected to take.
    """

    name: str
    count: int
    mem_mb: int
    minutes: int
    jobs: list[tuple[str, float]]


def expected_steps(made_from: MadeFrom, folder: OutputFolder) -> list[Step]:
    """The steps that made an output, and those that verified it, in their order."""
    plan, names = made_from.plan, shard_names(made_from.plan)
    steps = []
    if plan.table is not None:
        resources = (label_map_mem_mb(), label_map_runtime(plan))
        steps.append(_single("label_map", made_from.label_map, plan, folder, resources))
    for number, stage in enumerate(plan.needed_stages):
        steps.append(_stage(made_from, folder, number, list(indices(stage.grid))))
    together = blocks_together(plan)
    for lod in range(plan.num_lods):
        blocks = [index for index in indices(plan.blocks(lod)) if (lod, index) not in together]
        if blocks:
            steps.append(_lod(made_from, folder, lod, blocks))
    if together:
        resources = (small_lods_mem_mb(plan), small_lods_runtime(plan))
        steps.append(_single("mesh_small_lods", made_from.together, plan, folder, resources))
    if plan.bundles(0):
        steps.append(_bundles(made_from, folder))
    shards = (made_from.shards, shard_mem_mb(plan), shard_runtime(plan))
    steps.append(_shards("shard", names, plan, folder, *shards))
    resources = (index_mem_mb(plan), index_runtime(plan))
    steps.append(_single("multires_index", made_from.documents, plan, folder, resources))
    steps.append(_counts(made_from, folder, list(indices(plan.blocks(0)))))
    shards = (made_from.verified, verify_mem_mb(plan), verify_runtime(plan))
    steps.append(_shards("verify_shard", names, plan, folder, *shards))
    return steps


def planned_facts(made_from: MadeFrom, folder: OutputFolder) -> dict[str, Any]:
    """What planning knows for the report: values that JSON can hold. Triples are z y x, in nm."""
    plan, settings = made_from.plan, made_from.plan.settings
    return {
        "plan": plan_summary(plan, None),
        "input": settings.input_path,
        "settings": asdict(settings) | {"num_lods": plan.num_lods},
        "voxel_nm": plan.source.voxel_size,
        "shape": plan.levels[0].shape,
        "num_lods": plan.num_lods,
        "levels": list(_levels_there(plan)),
        "table": None if plan.table is None else made_from.label_map,
        "steps": [asdict(step) for step in expected_steps(made_from, folder)],
        "shard_markers": [folder.shard_marker(n, made_from.shards) for n in shard_names(plan)],
        "documents": folder.documents_marker(made_from.documents),
        "verified": folder.verify_marker(made_from.verified),
    }


def _levels_there(plan: Plan) -> Iterator[dict[str, Any]]:
    """The levels that are there when a run is done."""
    for number, level in enumerate(plan.levels):
        if level.is_built and plan.settings.delete_intermediate_scales:
            continue
        placed = zip(level.translation, level.voxel_size, strict=True)
        yield {
            "number": number,
            "part": asdict(level_part(plan, number)),
            "voxel_nm": level.voxel_size,
            "corner_nm": [t - v / 2 for t, v in placed],
            "bodies": plan.table is None or level.is_built,
        }


def _stage(made_from: MadeFrom, folder: OutputFolder, number: int, boxes: list[Index]) -> Step:
    plan = made_from.plan

    def benchmark(box: Index) -> str:
        name = f"{box_name(box)}.{made_from.super_chunk(number, box)}"
        return folder.benchmark(f"pyramid_super_chunk/stage{number}/{name}")

    levels = ", ".join(f"s{k}" for k in plan.stages[number].targets if plan.levels[k].is_built)
    rule = "pyramid_super_chunk"
    wildcards = [{"stage": str(number), "box": box_name(box)} for box in boxes]
    resources = (pyramid_mem_mb(plan), pyramid_runtime(plan))
    return _step(f"{rule}, {levels}", rule, plan, boxes, benchmark, wildcards, resources)


def _lod(made_from: MadeFrom, folder: OutputFolder, lod: int, boxes: list[Index]) -> Step:
    plan = made_from.plan

    def benchmark(box: Index) -> str:
        name = f"{box_name(box)}.{made_from.block(lod, box)}"
        return folder.benchmark(f"mesh_block/lod{lod}/{name}")

    wildcards = [{"lod": str(lod), "box": box_name(box)} for box in boxes]
    resources = (mesh_mem_mb(plan, lod), mesh_runtime(plan, lod))
    name = f"mesh_block, LOD {lod}"
    return _step(name, "mesh_block", plan, boxes, benchmark, wildcards, resources)


def _bundles(made_from: MadeFrom, folder: OutputFolder) -> Step:
    plan = made_from.plan
    bundles = [(lod, n) for lod in range(plan.num_lods) for n in range(plan.bundles(lod))]

    def benchmark(bundle: tuple[int, int]) -> str:
        lod, number = bundle
        name = f"{number}.{made_from.bundle(lod, number)}"
        return folder.benchmark(f"mesh_bundle/lod{lod}/{name}")

    wildcards = [{"lod": str(lod), "bundle": str(number)} for lod, number in bundles]
    resources = (bundle_mem_mb(), bundle_runtime(plan))
    return _step("mesh_bundle", "mesh_bundle", plan, bundles, benchmark, wildcards, resources)


def _counts(made_from: MadeFrom, folder: OutputFolder, boxes: list[Index]) -> Step:
    plan = made_from.plan

    def benchmark(box: Index) -> str:
        return folder.benchmark(f"verify_voxels/{box_name(box)}.{made_from.verified}")

    wildcards = [{"box": box_name(box)} for box in boxes]
    resources = (verify_voxels_mem_mb(plan), verify_voxels_runtime(plan))
    return _step("verify_voxels", "verify_voxels", plan, boxes, benchmark, wildcards, resources)


def _shards(
    rule: str,
    names: list[str],
    plan: Plan,
    folder: OutputFolder,
    made_from: str,
    mem_mb: int,
    minutes: int,
) -> Step:
    def benchmark(name: str) -> str:
        return folder.benchmark(f"{rule}/{name}.{made_from}")

    wildcards = [{"shard": name} for name in names]
    return _step(rule, rule, plan, names, benchmark, wildcards, (mem_mb, minutes))


def _single(
    rule: str, made_from: str, plan: Plan, folder: OutputFolder, resources: tuple[int, int]
) -> Step:
    path = folder.benchmark(f"{rule}.{made_from}")
    return _step(rule, rule, plan, [rule], lambda _: path, [{}], resources)


def _step(
    name: str,
    rule: str,
    plan: Plan,
    items: Sequence[Any],
    benchmark: Callable[[Any], str],
    wildcards: Sequence[dict[str, str]],
    resources: tuple[int, int],
) -> Step:
    """A step of a job per item, of which some are looked at."""
    count = len(items)
    looked_at = min(count, MOST_JOBS)
    chosen = [i * count // looked_at for i in range(looked_at)]
    jobs = [(benchmark(items[i]), job_work(plan, rule, wildcards[i]).seconds) for i in chosen]
    return Step(name, count, math.ceil(resources[0]), resources[1], jobs)
