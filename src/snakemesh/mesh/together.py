"""Meshing several blocks one after another, in one job."""

from collections.abc import Sequence
from pathlib import Path

from snakemesh.fragments.soundness import is_sound
from snakemesh.job_records import MeshBlockJob
from snakemesh.mesh.block import make_block
from snakemesh.mesh.earlier import take
from snakemesh.mesh.stats import BlockStats
from snakemesh.output.atomic import sync


def mesh_together(blocks: Sequence[tuple[MeshBlockJob, Path]], processes: int) -> BlockStats:
    """Mesh blocks and write their containers, one after another.

    blocks: their jobs, and the paths of their containers. processes: at most this many work on a
    block. When a job fails or is killed, Snakemake
    removes what the job has written of its outputs. So each container is kept under a second name,
    which Snakemake does not know, until all are there: the next attempt takes it from there, if all
    of its bytes are sound. Raises the same as `make_block`.
    """
    stats = BlockStats()
    finished = [container.with_suffix(".finished") for _, container in blocks]
    for (job, container), kept in zip(blocks, finished, strict=True):
        if not is_sound(kept):
            stats += make_block(job, kept, processes) or BlockStats()
        take(kept, container)
    for kept in finished:
        kept.unlink(missing_ok=True)
    for folder in {kept.parent for kept in finished}:
        sync(folder)
    return stats
