"""The expected time of every job of an output and the file of its measured time, for the report.

Jobs that only write a marker are left out.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from snakemesh.boxes import box_index, box_name, indices, triple
from snakemesh.console.summary import plan_summary
from snakemesh.cost.estimates import job_work
from snakemesh.cost.resources import resources_of
from snakemesh.measure_job import CURVATURE
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.jobs import shard_names
from snakemesh.plan.plan import Plan
from snakemesh.plan.together import blocks_together
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.products import Products
from snakemesh.source.volume_name import volume_name

# At most this many jobs of a step are read, evenly spread over its jobs.
MOST_JOBS = 4000
# The wildcards of jobs; and a function from them to the end of the name of a job's benchmark.
Jobs = Sequence[dict[str, str]]
Benchmark = Callable[..., str]


@dataclass(frozen=True)
class Step:
    """The jobs of a rule, or those of them that belong to one LOD or one stage.

    count: number of jobs. mem_mb, minutes: what the first attempt at a job asks for. jobs: for each
    job, or for MOST_JOBS of them, the file of its benchmark and its expected seconds.
    """

    name: str
    count: int
    mem_mb: int
    minutes: int
    jobs: list[tuple[str, float]]


def expected_steps(fingerprints: Fingerprints, folder: OutputFolder) -> list[Step]:
    """The steps that made an output, and those that verified it, in their order."""
    plan = fingerprints.plan
    shards = [{"shard": name} for name in shard_names(plan)]
    steps: list[tuple[str, Jobs, Benchmark]] = [
        ("label_map", [{}] if plan.table else [], lambda: f".{fingerprints.label_map}"),
        *_super_chunks(fingerprints),
        *_blocks(fingerprints),
        (
            "mesh_bundle",
            [
                {"lod": str(lod), "bundle": str(number)}
                for lod in range(plan.num_lods)
                for number in range(plan.bundles(lod))
            ],
            lambda lod, bundle: f"/lod{lod}/{bundle}.{fingerprints.bundle(int(lod), int(bundle))}",
        ),
        (
            "measure_block",
            [{"box": block.name} for block in Products(fingerprints, folder).measured_blocks],
            lambda box: f"/{box}.{fingerprints.measured_block(box_index(box))}",
        ),
        ("shard", shards, lambda shard: f"/{shard}.{fingerprints.shards}"),
        (
            "measure_shard",
            shards if CURVATURE in plan.settings.measures else [],
            lambda shard: f"/{shard}.{fingerprints.measured_shards}",
        ),
        ("multires_index", [{}], lambda: f".{fingerprints.documents}"),
        (
            "verify_voxels",
            [{"box": box_name(index)} for index in indices(plan.blocks(0))],
            lambda box: f"/{box}.{fingerprints.verified}",
        ),
        ("verify_shard", shards, lambda shard: f"/{shard}.{fingerprints.verified}"),
    ]
    return [_step(plan, folder, *step) for step in steps if step[1]]


def _step(
    plan: Plan, folder: OutputFolder, name: str, wildcards: Jobs, benchmark: Benchmark
) -> Step:
    """A step: its rule is the first word of its name."""
    rule, looked_at = name.partition(",")[0], min(len(wildcards), MOST_JOBS)
    chosen = [wildcards[i * len(wildcards) // looked_at] for i in range(looked_at)]
    jobs = [
        (folder.benchmark(rule + benchmark(**each)), job_work(plan, rule, each).seconds)
        for each in chosen
    ]
    mem_mb, minutes = resources_of(plan, rule, int(chosen[0].get("lod", 0)))
    return Step(name, len(wildcards), mem_mb, minutes, jobs)


def _super_chunks(fingerprints: Fingerprints) -> Iterator[tuple[str, Jobs, Benchmark]]:
    """The super-chunks of each stage."""
    plan, name_of = fingerprints.plan, fingerprints.super_chunk
    for number, stage in enumerate(plan.needed_stages):
        levels = ", ".join(f"s{k}" for k in stage.targets if plan.levels[k].is_built)
        yield (
            f"pyramid_super_chunk, {levels}",
            [{"stage": str(number), "box": box_name(box)} for box in indices(stage.grid)],
            lambda stage, box: f"/stage{stage}/{box}.{name_of(int(stage), box_index(box))}",
        )


def _blocks(fingerprints: Fingerprints) -> Iterator[tuple[str, Jobs, Benchmark]]:
    """The blocks of each LOD, and those that one job meshes together."""
    plan, together = fingerprints.plan, blocks_together(fingerprints.plan)
    for lod in range(plan.num_lods):
        yield (
            f"mesh_block, LOD {lod}",
            [
                {"lod": str(lod), "box": box_name(index)}
                for index in indices(plan.blocks(lod))
                if (lod, index) not in together
            ],
            lambda lod, box: f"/lod{lod}/{box}.{fingerprints.block(int(lod), box_index(box))}",
        )
    yield "mesh_small_lods", [{}] if together else [], lambda: f".{fingerprints.together}"


def planned_facts(fingerprints: Fingerprints, folder: OutputFolder) -> dict[str, Any]:
    """What the report shows of the plan: values that JSON can hold. Triples are z y x, in nm."""
    plan, settings = fingerprints.plan, fingerprints.plan.settings
    products = Products(fingerprints, folder)
    return {
        "plan": plan_summary(plan, None),
        "name": volume_name(plan.source, settings.input_path),
        "view": shlex.join(["snakemesh", "view", folder.root]),
        "settings": asdict(settings) | {"num_lods": plan.num_lods},
        "voxel_nm": plan.source.voxel_size,
        "shape": plan.levels[0].shape,
        "num_lods": plan.num_lods,
        "steps": [asdict(step) for step in expected_steps(fingerprints, folder)],
        "shard_markers": [shard.marker for shard in products.shards],
        "documents": products.documents.marker,
    }


def levels_there(plan: Plan) -> list[dict[str, Any]]:
    """The levels that exist when a run is done, with the fields of `report.plane.LevelPlace`."""
    return [
        {
            "number": number,
            "part": level.part,
            "voxel_nm": level.voxel_size,
            "corner_nm": triple(
                t - v / 2 for t, v in zip(level.translation, level.voxel_size, strict=True)
            ),
            "bodies": plan.table is None or level.is_built,
        }
        for number, level in enumerate(plan.levels)
        if not (level.is_built and plan.settings.delete_intermediate_scales)
    ]
