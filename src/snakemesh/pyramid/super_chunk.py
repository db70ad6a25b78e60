"""Building one super-chunk: its base level and the arrays that it fills are opened, and filled."""

import itertools
import math
from pathlib import Path

import worldarray as wa

from snakemesh.boxes import Box, slices
from snakemesh.chunk_files import ChunkFiles, sizes_digest
from snakemesh.job_records import SuperChunkJob
from snakemesh.output.atomic import sync_filesystem
from snakemesh.output.remove import remove_unfinished
from snakemesh.pyramid.fill import fill_super_chunk
from snakemesh.source.voxels import is_background, open_part, reading_part
from snakemesh.tables.mapping import Mapper


def build_super_chunk(job: SuperChunkJob) -> dict[str, object]:
    """Read a super-chunk once and write every missing level there.

    First removes the chunks that are there, and the unfinished files that an earlier try left if it
    was killed. When this returns, all that was written is on the disk. Returns what to log:
    `voxels` of the base and `chunks` of the levels. If the base stores nothing there, nothing is
    read, and `stored` is 0. Raises UserError if voxels cannot be read or the input changes
    meanwhile, or if a label is negative, and DamagedError if the base was built and cannot be read.
    """
    if job.watch is not None:
        job.watch.refuse_change()
    for files, chunks in job.filled():
        _remove_chunks(files, chunks)
    facts = _build(job)
    sync_filesystem(next(files.root for files in job.targets if files is not None))
    if job.watch is not None:
        job.watch.refuse_change()
    return facts


def stored_chunks(job: SuperChunkJob) -> dict[str, str]:
    """By level that a super-chunk fills: a hash of the chunks that are stored and their sizes."""
    return {Path(files.root).name: sizes_digest(files, chunks) for files, chunks in job.filled()}


def _build(job: SuperChunkJob) -> dict[str, object]:
    mapper = None if job.label_map is None else Mapper(job.label_map)
    base = open_part(job.reads)
    facts: dict[str, object] = {"voxels": math.prod(map(int.__sub__, job.end, job.begin))}
    if is_background(base[slices(job.begin, job.end)], job.reads.values):
        facts["stored"] = 0
    else:
        targets = [
            None if files is None else wa.open(files.root, mode="r+").ts for files in job.targets
        ]
        with reading_part(job.reads):
            box, vote = (job.begin, job.end), (job.steps, job.method)
            facts["chunks"] = fill_super_chunk(base, targets, *box, *vote, mapper, job.reads.values)
    if mapper is not None:
        mapper.record()
    return facts


def _remove_chunks(files: ChunkFiles, chunks: Box) -> None:
    """Remove the chunks of a box of chunks, and the unfinished files of a try that was killed.

    Before tensorstore writes a chunk that reaches beyond the array's end, it reads the old one,
    which would fail if that is damaged.
    """
    z, y, x = (range(begin, end) for begin, end in zip(*chunks, strict=True))
    for row in itertools.product(z, y):
        paths = [Path(files.path((*row, i))) for i in x]
        remove_unfinished(paths[0].parent, {path.name for path in paths})
        for path in paths:
            path.unlink(missing_ok=True)
