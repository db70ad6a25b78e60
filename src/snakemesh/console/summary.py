"""The plan in words, for the person who is about to start it."""

import math
from collections import Counter
from collections.abc import Collection, Iterable

from snakemesh.cost.estimates import Work, level_bytes, mesh_bytes, plan_work
from snakemesh.cost.resources import index_mem_mb, mesh_mem_mb, pyramid_mem_mb, shard_mem_mb
from snakemesh.plan.placement import COARSEST_VOXELS, MAX_LODS, USUAL_LODS, allowed_lods
from snakemesh.plan.plan import Plan
from snakemesh.units import file_size, lengths

# What a job of a rule does.
_WORDS = {
    "pyramid_super_chunk": "super-chunk",
    "mesh_block": "block",
    "mesh_small_lods": "job of small LODs",
    "mesh_bundle": "bundle",
    "shard": "shard",
}


def plan_summary(
    plan: Plan, left: Collection[tuple[str, Work]] | None, remarks: Iterable[str] = ()
) -> str:
    """What a run from scratch does and takes, in lines, and what is left of it. Sizes are z y x.

    left: rule and work of each job that is still to be run; None to say nothing of them. remarks:
    lines to follow.
    """
    lines = [
        f"The plan for {plan.settings.input_path} (sizes are z y x, estimates for "
        f"{'a sparse volume' if plan.is_sparse else 'dense tissue'})",
        *_labels(plan),
        *_levels(plan),
        *_stages(plan),
        *_lods(plan),
        *_unread(plan),
        *_choice(plan),
        f"  shards   {plan.sharding.num_shards:,}{_bundles(plan)}",
        f"  in all   {plan.num_jobs:,} jobs, about {_cpu_time(plan_work(plan).seconds)}; the "
        f"largest job asks for {_peak_mb(plan) / 1000:.1f} GB of memory",
        *([] if left is None else _left(plan, left)),
        f"  disk     about {file_size(_removed(plan))} between jobs and {file_size(_kept(plan))} "
        f"in the end, in {plan.settings.output_directory}",
        *remarks,
    ]
    return "\n".join(lines)


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
        where = "to be built" if level.is_built else f"exists: {level.path}"
        yield (
            f"  level s{k} {_size(level.shape)} voxels of {lengths(level.voxel_size)}, "
            f"factor {_size(level.factor)}, {where}"
        )
        if level.why_built:
            yield f"           {level.why_built}"


def _stages(plan: Plan) -> Iterable[str]:
    for stage in plan.needed_stages:
        built = ", ".join(f"s{k}" for k in stage.targets if plan.levels[k].is_built)
        super_chunk = map(min, stage.super_chunk, plan.levels[stage.base].shape)
        yield (
            f"  pyramid  {_count(stage.grid, 'super-chunk')} of {_size(super_chunk)} voxels of "
            f"s{stage.base}, read once for {built}"
        )


def _lods(plan: Plan) -> Iterable[str]:
    for lod in range(plan.num_lods):
        cell = f"{_size(plan.cell_voxels[lod])} voxels of s{lod}"
        if plan.is_of_fragments(lod):
            side = plan.settings.cell_size * 2**lod
            cell = f"{_size((side,) * 3)} voxels of s0, made of LOD {lod - 1}"
        yield (
            f"  LOD {lod}    {_count(plan.n_cells[lod], 'cell')} of {cell}, in "
            f"{_count(plan.blocks(lod), 'block')}"
        )


def _unread(plan: Plan) -> Iterable[str]:
    """What the user has or asks for that has no effect, as LODs are made of one another."""
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
            f"           downsample_method {method} changes no mesh where an LOD is made of "
            "another; set multires_strategy: downsample"
        )


def _bundles(plan: Plan) -> str:
    """From how many bundles the shards are made, if there are any."""
    bundles = sum(plan.bundles(lod) for lod in range(plan.num_lods))
    if not bundles:
        return ""
    return f", from {_count([bundles], 'bundle')} of {plan.blocks_per_bundle} blocks"


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


def _left(plan: Plan, left: Collection[tuple[str, Work]]) -> Iterable[str]:
    works = [work for rule, work in left if rule in _WORDS]  # the plan does not count the others
    if len(works) < plan.num_jobs:
        time = _cpu_time(sum(work.seconds for work in works))
        counts = Counter(rule for rule, _ in left)
        kinds = ", ".join(
            _count([counts[rule]], word) for rule, word in _WORDS.items() if counts[rule]
        )
        yield (
            f"  left     {len(works):,} of these jobs, about {time}{': ' if kinds else ''}{kinds}"
        )


def _removed(plan: Plan) -> int:
    """Bytes that are gone at the end: fragments between jobs, and levels unless they are kept."""
    return mesh_bytes(plan) + level_bytes(plan) * plan.settings.delete_intermediate_scales


def _kept(plan: Plan) -> int:
    return mesh_bytes(plan) + level_bytes(plan) * (not plan.settings.delete_intermediate_scales)


def _peak_mb(plan: Plan) -> int:
    meshing = (mesh_mem_mb(plan, lod) for lod in range(plan.num_lods))
    pyramid = pyramid_mem_mb(plan) if plan.needed_stages else 0
    return max(pyramid, shard_mem_mb(plan), index_mem_mb(plan), *meshing)


def _size(numbers: Iterable[int]) -> str:
    return " x ".join(map(str, numbers))


def _count(grid: Iterable[int], what: str) -> str:
    n = math.prod(grid)
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _cpu_time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} CPU seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} CPU minutes"
    return f"{seconds / 3600:,.0f} CPU hours"
