"""Which blocks one job meshes together: those of the last LODs, where these are small.

On a cluster, a job takes a second of CPU time to start, and a small block less than that to mesh.
LODs become smaller and smaller, so the last ones are one block each. Larger LODs stay apart, so
that cores have something to do.
"""

import math
from typing import TYPE_CHECKING

from snakemesh.boxes import Index, indices

if TYPE_CHECKING:
    from snakemesh.plan.plan import Plan

# The LODs that are meshed by one job have at most this many voxels together. An LOD of more than
# 4.2 million voxels has several blocks (`plan.blocks`), and all coarser LODs a seventh as many.
MAX_TOGETHER_VOXELS = 5 << 20
# If each of these LODs is one block, made of the block below it, they have at most this many: a
# block of 256^3 voxels and all that is made of it. They wait for each other anyway.
MAX_CHAIN_VOXELS = 5 << 22
# The processes that share the work of this job, on a machine with as many cores. A cell has eight
# octants.
MAX_PROCESSES = 8


def blocks_together(plan: "Plan") -> list[tuple[int, Index]]:
    """LOD and index of the blocks that one job meshes, finer ones first; none or at least two."""
    lod, voxels, is_chain = plan.num_lods, 0, True
    while lod > 0:
        voxels += math.prod(plan.levels[lod - 1].shape)
        waits = lod == plan.num_lods or plan.is_of_fragments(lod)
        is_chain = is_chain and waits and math.prod(plan.blocks(lod - 1)) == 1
        if voxels > (MAX_CHAIN_VOXELS if is_chain else MAX_TOGETHER_VOXELS):
            break
        lod -= 1
    found = [(k, i) for k in range(lod, plan.num_lods) for i in indices(plan.blocks(k))]
    return found if len(found) > 1 else []
