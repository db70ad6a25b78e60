"""The plan in words, for the person who is about to start it."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from snakemesh.cost.estimates import (
    SNAKEMAKE_S,
    Work,
    level_bytes,
    mesh_bytes,
    plan_work,
    result_bytes,
)
from snakemesh.cost.resources import resources_of
from snakemesh.plan.job_counts import job_counts
from snakemesh.plan.placement import COARSEST_VOXELS, MAX_LODS, USUAL_LODS, allowed_lods
from snakemesh.plan.plan import Plan
from snakemesh.survey.inputs import EXAMPLE_PATH
from snakemesh.units import counted, file_size, lengths, sides

# What a job of a rule makes or checks.
_WORDS = {
    "pyramid_super_chunk": "super-chunk",
    "mesh_block": "block",
    "mesh_small_lods": "job of small LODs",
    "mesh_bundle": "bundle",
    "measure_block": "measured block",
    "shard": "shard",
    "measure_shard": "measured shard",
    "verify_voxels": "verified block",
    "verify_shard": "verified shard",
}


def plan_summary(
    plan: Plan,
    left: Collection[tuple[str, Work]] | None,
    remarks: Iterable[str] = (),
    is_module: bool = False,
    speed: float = 1.0,
) -> str:
    """The plan in lines: what a run from scratch does and takes, and what this run does.

    Sizes are z y x. left: rule and work of each job that this run starts; None leaves out the line
    about them. remarks: lines to follow. is_module: whether another workflow uses this one. speed:
    CPU seconds on this machine for one expected CPU second (`cost.machine_speed`).
    """
    counts = job_counts(plan, is_module)
    kept, removed = result_bytes(plan), mesh_bytes(plan)  # in the end, and containers before
    if plan.settings.delete_intermediate_scales:
        removed += level_bytes(plan)
    else:
        kept += level_bytes(plan)
    lines = [
        f"The plan for {plan.settings.input_path} (sizes are z y x, estimates {_basis(plan)})",
        *_labels(plan),
        *_levels(plan),
        *_stages(plan),
        *_lods(plan),
        *_unread(plan),
        *_choice(plan),
        f"  shards   {plan.sharding.num_shards:,}{_bundles(plan)}",
        f"  in all   {sum(counts.values()):,} jobs, about "
        f"{_cpu_time(speed * (SNAKEMAKE_S + plan_work(plan).seconds))}; the largest job asks for "
        f"{_peak_mb(plan) / 1000:.1f} GB of memory",
        *([] if left is None else _left(counts, left, speed)),
        f"  disk     about {file_size(kept)} in {plan.settings.output_directory} at the end, and "
        f"{file_size(removed)} more while the run goes on",
        *remarks,
    ]
    return "\n".join(lines)


def _basis(plan: Plan) -> str:
    if plan.sample is not None:
        return "from a sample of it"
    return "for a sparse volume" if plan.is_sparse else "for dense tissue"


def _labels(plan: Plan) -> Iterable[str]:
    settings = plan.settings
    if plan.table is not None:
        rest = "stay as they are" if settings.label_map_rest == "keep" else "become background"
        yield (
            f"  labels   become the bodies of {settings.label_map} ({plan.table.rows:,} rows), all "
            f"others {rest}; levels are {plan.dtype}"
        )
        if plan.num_lods > 1 and not settings.delete_intermediate_scales:
            yield (
                "           the levels that are kept begin with s1: s0 is the volume, which holds "
                "labels and not bodies"
            )


def _levels(plan: Plan) -> Iterable[str]:
    for k in plan.needed_levels:
        level = plan.levels[k]
        is_example = plan.settings.input_path == EXAMPLE_PATH
        found = "the example" if is_example else f"exists: {level.path}"
        where = "to be built" if level.is_built else found
        yield (
            f"  level s{k} {sides(level.shape)} voxels of {lengths(level.voxel_size)}, "
            f"factor {sides(level.factor)}, {where}"
        )
        if level.why_built:
            yield f"           {level.why_built}"


def _stages(plan: Plan) -> Iterable[str]:
    for stage in plan.needed_stages:
        built = ", ".join(f"s{k}" for k in stage.targets if plan.levels[k].is_built)
        super_chunk = map(min, stage.super_chunk, plan.levels[stage.base].shape)
        yield (
            f"  pyramid  {counted(math.prod(stage.grid), 'super-chunk')} of {sides(super_chunk)} "
            f"voxels of s{stage.base}, read once for {built}"
        )


def _lods(plan: Plan) -> Iterable[str]:
    for lod in range(plan.num_lods):
        cell = f"{sides(plan.cell_voxels[lod])} voxels of s{lod}"
        if plan.is_of_fragments(lod):
            side = plan.settings.cell_size * 2**lod
            cell = f"{sides((side,) * 3)} voxels of s0, made from LOD {lod - 1}"
        yield (
            f"  LOD {lod}    {counted(math.prod(plan.n_cells[lod]), 'cell')} of {cell}, in "
            f"{counted(math.prod(plan.blocks(lod)), 'block')}"
        )


def _unread(plan: Plan) -> Iterable[str]:
    """Levels and keys of the user that have no effect, because LODs are made from each other."""
    unread = [k for k in range(plan.num_lods) if k not in plan.needed_levels]
    own = [f"s{k}" for k in unread if not plan.levels[k].is_built]
    if own:
        yield (
            f"           {', '.join(own)} of the input {'is' if len(own) == 1 else 'are'} not "
            "meshed; multires_strategy: downsample meshes them"
        )
    method = plan.settings.downsample_method
    if unread and method in ("mode_suppress_zero", "nearest"):
        yield (
            f"           downsample_method {method} changes no mesh where an LOD is made from "
            "another; set multires_strategy: downsample"
        )


def _bundles(plan: Plan) -> str:
    """From how many bundles the shards are made, if there are any."""
    bundles = sum(plan.bundles(lod) for lod in range(plan.num_lods))
    if not bundles:
        return ""
    return f", from {counted(bundles, 'bundle')} of {plan.blocks_per_bundle} blocks"


def _choice(plan: Plan) -> Iterable[str]:
    """How many LODs were chosen and why, if the configuration leaves it open."""
    if plan.settings.num_lods is None:
        lods, longest = plan.num_lods, max(plan.levels[-1].shape)
        why = f"the longest side has {longest:,} voxels of s{lods - 1}"
        if lods < USUAL_LODS or longest > COARSEST_VOXELS:
            if lods == MAX_LODS:
                why += f", and {MAX_LODS} is the most"
            elif allowed_lods(plan.levels[0].shape, plan.source.voxel_size, lods + 1) == lods:
                why += ", and an axis is too thin for more"
        yield f"  num_lods {lods}, chosen: {why}"


def _left(
    planned: Mapping[str, int], left: Collection[tuple[str, Work]], speed: float
) -> Iterable[str]:
    """What this run does, unless its jobs are the planned ones. planned: their number by rule."""
    counts = Counter(rule for rule, _ in left)
    if counts == planned:
        return
    if not left:
        yield "  to run   nothing, everything is there"
        return
    kinds = [counted(counts.pop(rule), word) for rule, word in _WORDS.items() if counts[rule]]
    if counts.total():
        kinds.append(counted(counts.total(), "short job"))
    time = _cpu_time(speed * sum((work.seconds for _, work in left), SNAKEMAKE_S))
    yield f"  to run   {counted(len(left), 'job')}, about {time}: {', '.join(kinds)}"


def dry_run_line(counts: Mapping[str, int]) -> str:
    """How many jobs a run would start, in a line after an empty one. counts: jobs by rule."""
    kinds = ", ".join(f"{n:,} {rule}" for rule, n in counts.items() if n)
    jobs = counted(sum(counts.values()), "job")
    return f"\nDry run: {jobs} would run ({kinds}); --verbose lists each job. Nothing was written."


def _peak_mb(plan: Plan) -> int:
    jobs = [("mesh_block", lod) for lod in range(plan.num_lods)]
    jobs += [("shard", 0), ("multires_index", 0)]
    jobs += [("pyramid_super_chunk", 0)] if plan.needed_stages else []
    return max(resources_of(plan, *job).mem_mb for job in jobs)


def _cpu_time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} CPU seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} CPU minutes"
    return f"{seconds / 3600:,.0f} CPU hours"
