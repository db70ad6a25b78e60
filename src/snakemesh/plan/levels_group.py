"""The group of the levels that are built, and the source's levels that it links to."""

import worldarray as wa

from snakemesh.boxes import Nanometres, triple
from snakemesh.job_records import BuiltLevel, LinkedLevel, PyramidGroup
from snakemesh.plan.levels import Level
from snakemesh.plan.plan import Plan
from snakemesh.source.read import is_local

# The formats whose arrays an OME-Zarr group can hold.
ZARR = ("zarr2", "zarr3")


def pyramid_group(plan: Plan) -> PyramidGroup:
    """The group that the missing levels are written to, and the source's own that it links to.

    Where labels become bodies it links to none: s0 holds the labels, all others hold bodies.
    """
    is_zarr = plan.source.format in ZARR
    linked = [
        LinkedLevel(f"s{k}", level.path, *_whole_placement(plan, k))
        for k, level in enumerate(plan.levels)
        if not level.is_built and _can_be_linked(plan, level)
    ]
    return PyramidGroup(
        path=plan.pyramid_path,
        format=plan.source.format if is_zarr else "zarr2",
        built=tuple(
            BuiltLevel(f"s{k}", level.shape, level.voxel_size, level.translation)
            for k, level in enumerate(plan.levels)
            if level.is_built
        ),
        linked=tuple(linked),
        chunks=plan.chunks,
        dtype=plan.dtype,
        method=plan.settings.downsample_method,
    )


def _can_be_linked(plan: Plan, level: Level) -> bool:
    """Whether a level of the source can be part of an OME-Zarr group of z y x, as it is stored."""
    is_zarr = plan.source.format in ZARR and is_local(plan.source)
    is_as_stored = level.stored is None or level.stored.is_plain
    return is_zarr and is_as_stored and plan.table is None and not level.values.is_one_body


def _whole_placement(plan: Plan, level: int) -> tuple[Nanometres, Nanometres]:
    """Voxel size and translation of a source level as a whole, not of the part that is meshed."""
    voxel_size, translation = wa.level_placement(
        plan.source.voxel_size, plan.source.translation, plan.levels[level].factor
    )
    return triple(voxel_size), triple(translation)
