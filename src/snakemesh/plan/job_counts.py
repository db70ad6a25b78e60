"""How many jobs of each rule a run has, as Snakemake counts them."""

import math

from snakemesh.measure_job import CURVATURE
from snakemesh.plan.plan import Plan


def job_counts(plan: Plan, is_module: bool = False) -> dict[str, int]:
    """By rule, the number of jobs of the target `all` where the output directory is empty.

    Rules without a job are left out. The target counts as a job, because Snakemake counts it.
    is_module: whether another workflow, which has a target of its own, uses this one.
    """
    n_shards, is_verified = plan.sharding.num_shards, plan.settings.verify
    counts = {
        # a plan without a stored volume is that of the example before it is made
        "example": int(plan.source.stored is None),
        "label_map": int(plan.table is not None),
        "pyramid_levels": min(len(plan.needed_stages), 1),
        **plan.many_jobs,
        "mesh_blocks_done": 1,
        "measure_shard": n_shards * (CURVATURE in plan.settings.measures),
        "measure_labels": int(bool(plan.settings.measures)),
        "multires_index": 1,
        "cleanup": 1,
        "verify_voxels": math.prod(plan.blocks(0)) * is_verified,
        "verify_voxels_done": int(is_verified),
        "verify_shard": n_shards * is_verified,
        "verify_table": int(is_verified),
        "all": int(not is_module),
    }
    return {rule: n for rule, n in counts.items() if n}
