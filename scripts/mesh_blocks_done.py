"""Rule mesh_blocks_done: every block is meshed, so the shards can be written.

It deletes old summaries of shards first: if a cluster reports a lost shard job as done, a stale
summary must not pass for its result.
"""

from pathlib import Path

from snakemesh.output.job_log import job_log

with job_log(snakemake.log[0], "mesh_blocks_done"):
    for summary in Path(snakemake.params.folder.summaries).glob("*.npy"):
        summary.unlink()
    Path(snakemake.output[0]).touch()
