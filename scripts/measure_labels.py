"""Rule measure_labels: the measures of all labels, from those of all blocks and shards."""

import numpy as np

from snakemesh.measure.labels import measured_labels
from snakemesh.measure.thickness import RIDGES
from snakemesh.output.atomic import write_array
from snakemesh.output.job_log import job_log
from snakemesh.tables.merge import rows_of_file

params = snakemake.params
with job_log(snakemake.log[0], "measure_labels") as log:
    for part in (*params.blocks, *params.shards):
        part.check()
    params.product.discard()
    runs = [rows_of_file(block.table, RIDGES) for block in params.blocks]
    pieces = [block.pieces for block in params.blocks]
    curvature = [np.load(shard.table) for shard in params.shards]
    found = measured_labels(pieces, runs, params.side_nm, curvature)
    write_array(params.product.table, found)
    params.product.finish()
    log.facts.update(labels=len(found))
