"""Building one super-chunk: its level of the source opened, the arrays it fills opened, filled."""

import worldarray as wa

from snakemesh.jobs import SuperChunkJob
from snakemesh.pyramid import fill_super_chunk
from snakemesh.source import level_store


def build_super_chunk(job: SuperChunkJob) -> dict[str, object]:
    """Read a super-chunk once and write every missing level there; returns what to log of it."""
    stats = fill_super_chunk(
        level_store(job.source),
        [None if path is None else wa.open(path, mode="r+").ts for path in job.targets],
        job.begin,
        job.end,
        job.steps,
        job.method,
    )
    return {
        "voxels": stats.voxels,
        "mvoxel_per_s": round(stats.voxels / stats.seconds / 1e6, 1),
    }
