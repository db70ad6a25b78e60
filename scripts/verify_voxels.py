"""Rule verify_voxels: the labels of a box of s0, counted afresh."""

import numpy as np

from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.verify.voxels import count_box

params = snakemake.params
with job_log(snakemake.log[0], f"verify_voxels {snakemake.wildcards.box}") as log:
    begin, end = params.box
    counts = count_box(params.job, begin, end)
    with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as file:
        np.save(file, counts)
    log.facts.update(labels=len(counts), voxels=int(np.prod(np.subtract(end, begin))))
