"""What the first attempt at a job asks for, by its rule."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from snakemesh.cost import resources
from snakemesh.plan.plan import Plan


class Asked(NamedTuple):
    """Memory in MB and time in minutes. A cluster ends a job that takes more."""

    mem_mb: int
    minutes: int


_ASKED: Mapping[str, Callable[[Plan, int], tuple[int, int]]] = {
    "label_map": lambda plan, _: (resources.label_map_mem_mb(), resources.label_map_runtime(plan)),
    "pyramid_super_chunk": lambda plan, _: (
        resources.pyramid_mem_mb(plan),
        resources.pyramid_runtime(plan),
    ),
    "mesh_block": lambda plan, lod: (
        resources.mesh_mem_mb(plan, lod),
        resources.mesh_runtime(plan, lod),
    ),
    "mesh_small_lods": lambda plan, _: (
        resources.small_lods_mem_mb(plan),
        resources.small_lods_runtime(plan),
    ),
    "mesh_bundle": lambda plan, _: (resources.bundle_mem_mb(), resources.bundle_runtime(plan)),
    "shard": lambda plan, _: (resources.shard_mem_mb(plan), resources.shard_runtime(plan)),
    "multires_index": lambda plan, _: (resources.index_mem_mb(plan), resources.index_runtime(plan)),
    "verify_voxels": lambda plan, _: (
        resources.verify_voxels_mem_mb(plan),
        resources.verify_voxels_runtime(plan),
    ),
    "verify_shard": lambda plan, _: (resources.verify_mem_mb(plan), resources.verify_runtime(plan)),
    "verify_table": lambda plan, _: (resources.index_mem_mb(plan), resources.index_runtime(plan)),
    "report_files": lambda *_: (3000, 30),
}


def asked(plan: Plan, rule: str, lod: int = 0) -> Asked:
    """What a job of a rule asks for. lod: of a block."""
    return Asked(*_ASKED[rule](plan, lod))
