"""Rule measure_block: components and thickness of the labels in a block of LOD 0."""

from snakemesh.measure.block import measure_block
from snakemesh.output.atomic import replacing, write_array
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged
from snakemesh.output.measured_products import MeasuredBlock
from snakemesh.verify.voxel_pieces import save_part

params, wildcards = snakemake.params, snakemake.wildcards
product = MeasuredBlock(params.folder, wildcards.fingerprint, wildcards.box)
with (
    job_log(snakemake.log[0], f"measure_block {product.name}") as log,
    discard_if_damaged(params.table_markers),
):
    product.discard()
    pieces, ridges = measure_block(params.job)
    write_array(product.table, ridges)
    with replacing(product.pieces) as temporary:
        save_part(temporary, pieces)
    product.finish()
    log.facts.update(labels=len(ridges))
