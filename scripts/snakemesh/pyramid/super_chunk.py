"""Building one super-chunk: its level of the source opened, the arrays it fills opened, filled."""

import itertools
import math
from pathlib import Path

import numpy as np
import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import slices
from snakemesh.job_records import SuperChunkJob
from snakemesh.output.remove import remove_unfinished
from snakemesh.pyramid.fill import fill_super_chunk
from snakemesh.voxels import is_background, open_part


def build_super_chunk(job: SuperChunkJob) -> dict[str, object]:
    """Read a super-chunk once and write every missing level there; returns what to log of it.

    What an earlier try that was killed left of its writes is removed.
    """
    targets = [None if path is None else wa.open(path, mode="r+").ts for path in job.targets]
    factors = np.cumprod(job.steps, axis=0)
    for path, target, factor in zip(job.targets, targets, factors, strict=True):
        if target is not None:
            box = np.array(job.begin) // factor, -(-np.array(job.end) // factor)
            _remove_unfinished_chunks(Path(path), target, *box)
    base = open_part(job.reads)
    if _is_empty(base, targets, factors, job):
        return {"voxels": math.prod(map(int.__sub__, job.end, job.begin)), "stored": 0}
    stats = fill_super_chunk(base, targets, job.begin, job.end, job.steps, job.method)
    return {"voxels": stats.voxels, "chunks": stats.chunks}


def _is_empty(
    base: ts.TensorStore,
    targets: list[ts.TensorStore | None],
    factors: np.ndarray,
    job: SuperChunkJob,
) -> bool:
    """Whether there is nothing to read, and nothing of an older pyramid to remove."""
    begin, end = np.array(job.begin), np.array(job.end)
    boxes = [(base, begin, end)]
    for target, factor in zip(targets, factors, strict=True):
        if target is not None:
            boxes.append((target, begin // factor, -(-end // factor)))
    return all(is_background(store[slices(low, high)]) for store, low, high in boxes)


def _remove_unfinished_chunks(
    array: Path, store: ts.TensorStore, begin: np.ndarray, end: np.ndarray
) -> None:
    """Of the chunks of an array that hold its voxels `begin` to `end`; chunks are `z/y/x` files."""
    chunk = store.chunk_layout.write_chunk.shape
    z, y, x = (range(b // c, -(-e // c)) for b, e, c in zip(begin, end, chunk, strict=True))
    root = array / "c" if (array / "zarr.json").exists() else array
    for index in itertools.product(z, y):
        remove_unfinished(root.joinpath(*map(str, index)), {str(i) for i in x})
