"""Rule verify_voxels: a box of s0 is counted afresh, and compared with the input's own levels.

The pieces of its labels are counted too.
"""

import numpy as np

from snakemesh.output.atomic import replacing, write_array
from snakemesh.output.job_log import job_log
from snakemesh.verify.levels import LevelChecks
from snakemesh.verify.voxel_pieces import VoxelPieces
from snakemesh.verify.voxels import count_box

params = snakemake.params
with job_log(snakemake.log[0], f"verify_voxels {snakemake.wildcards.box}") as log:
    begin, end = params.box
    levels = LevelChecks(params.job)
    pieces = VoxelPieces(params.job)
    counts = count_box(params.job, begin, end, levels.add, pieces.add)
    write_array(snakemake.output.counts, counts)
    with replacing(snakemake.output.levels) as temporary:
        levels.save(temporary)
    with replacing(snakemake.output.pieces) as temporary:
        pieces.save(temporary)
    log.facts.update(labels=len(counts), voxels=int(np.prod(np.subtract(end, begin))))
