"""Building one super-chunk: open the part of the base and the arrays to fill, and fill them."""

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
    """Read a super-chunk once and write every missing level there.

    First removes the unfinished files that an earlier try left if it was killed. Returns what to
    log: `voxels` of the base and `chunks` of the levels. If neither the base nor a target stores
    anything there, nothing is read, and `stored` is 0. Raises UserError if voxels cannot be read,
    or if a label is negative.
    """
    targets = [None if path is None else wa.open(path, mode="r+").ts for path in job.targets]
    factors = np.cumprod(job.steps, axis=0)
    for path, target, factor in zip(job.targets, targets, factors, strict=True):
        if path is not None and target is not None:
            low, high = np.array(job.begin) // factor, -(-np.array(job.end) // factor)
            _remove_unfinished_chunks(Path(path), target, low, high)
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
    """Whether there is nothing to read, and nothing of an older pyramid to remove.

    targets: per level of the stage its array, or None. factors: (levels, 3), of each over the base.
    """
    begin, end = np.array(job.begin), np.array(job.end)
    boxes = [(base, begin, end)]
    for target, factor in zip(targets, factors, strict=True):
        if target is not None:
            boxes.append((target, begin // factor, -(-end // factor)))
    return all(is_background(store[slices(low, high)]) for store, low, high in boxes)


def _remove_unfinished_chunks(
    array: Path, store: ts.TensorStore, begin: np.ndarray, end: np.ndarray
) -> None:
    """Remove unfinished files of the chunks that hold the voxels `begin` to `end` of an array.

    array: its folder, with a file z/y/x for every chunk, below c/ in zarr v3. begin, end: (3,).
    """
    chunk = np.array(store.chunk_layout.write_chunk.shape, np.int64)
    z, y, x = (range(b // c, -(-e // c)) for b, e, c in zip(begin, end, chunk, strict=True))
    root = array / "c" if (array / "zarr.json").exists() else array
    for index in itertools.product(z, y):
        remove_unfinished(root.joinpath(*map(str, index)), {str(i) for i in x})
