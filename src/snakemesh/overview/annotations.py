"""Points in Neuroglancer's format of annotations: found by label, by segment and by place.

Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/annotations.md
and sharded.md in the same folder.
"""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.compressed_morton import cell_numbers
from snakemesh.fragments.sharding import encode_index, shard_of
from snakemesh.job_records import Sharding
from snakemesh.multires.documents import sharding_info, write_json
from snakemesh.output.atomic import replacing
from snakemesh.output.folder import shard_name
from snakemesh.overview.points import Points

# Points of a cell of a spatial index: a viewer fetches a cell at once.
LIMIT = 4096
# Labels of a shard file and of a minishard, about. A viewer fetches the index of a minishard.
_PER_SHARD, _PER_MINISHARD = 1 << 20, 1000
# The most cells on an axis: the number of a cell has 64 bits.
_MOST_CELLS = 1 << 20
# An axis is halved if its cells are longer than the longest divided by this.
_ELONGATION = 1.5


def write_annotations(folder: str | os.PathLike[str], points: Points) -> None:
    """Write the points into an empty or new folder; `info`, which lists all files, comes last.

    The coarser levels of the spatial index hold the largest segments, and so do the first points
    of a cell. So a viewer that shows only some of the points shows the largest.
    """
    root = Path(folder)
    row = ("row", points.rows.dtype)
    by_id = np.dtype([row, ("count", "<u4"), ("label", "<u8")])
    of_segment = np.dtype([("count", "<u8"), row, ("label", "<u8")])
    spatial = [
        _write_level(root / f"spatial{number}", level, points)
        for number, level in enumerate(levels(points))
    ]
    indices = [
        {"key": name, "sharding": _write_labels(root / name, points, value)}
        for name, value in (("by_id", by_id), ("segment", of_segment))
    ]
    info = {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {axis: [1e-9, "m"] for axis in "xyz"},
        "lower_bound": points.lower.tolist(),
        "upper_bound": points.upper.tolist(),
        "annotation_type": "POINT",
        "properties": points.properties,
        "relationships": [{"id": "segment"} | indices[1]],
        "by_id": indices[0],
        "spatial": spatial,
    }
    write_json(root / "info", info)


@dataclass(frozen=True)
class Level:
    """A level of the spatial index.

    shape: cells, x y z. size: of a cell in nm, x y z. cells: the number of each point's cell,
    uint64 (n,), ascending. points: indices of the points, int64 (n,), the largest of a cell first.
    """

    shape: np.ndarray
    size: np.ndarray
    cells: np.ndarray
    points: np.ndarray


def levels(points: Points) -> Iterator[Level]:
    """The levels of the spatial index, coarsest first, until every point is in one.

    Each cell holds its LIMIT largest segments that no coarser level holds. The last level that its
    cells' numbers allow holds all that are left, such as points in one place.
    """
    left = points.largest_first
    extent = points.upper - points.lower
    shape = np.ones(3, np.int64)
    while len(left):
        size = extent / shape
        cells = cell_numbers(_cells(points, left, shape, size), shape)
        by_cell = np.argsort(cells, kind="stable")
        cells = cells[by_cell]
        rank = np.arange(len(cells)) - np.searchsorted(cells, cells)
        is_last = shape.max() >= _MOST_CELLS
        taken = by_cell if is_last else by_cell[rank < LIMIT]
        yield Level(shape, size, cells if is_last else cells[rank < LIMIT], left[taken])
        left = np.delete(left, taken)
        shape = np.where(size * _ELONGATION > size.max(), 2 * shape, shape)


def _cells(points: Points, chosen: np.ndarray, shape: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The cells of some points in a grid, x y z, int32 (n, 3)."""
    cells = np.empty((len(chosen), 3), np.int32)
    for axis in range(3):
        places = points.rows["position"][chosen, axis] - points.lower[axis]
        cells[:, axis] = np.clip(places / size[axis], 0, shape[axis] - 1)
    return cells


def _write_level(folder: Path, level: Level, points: Points) -> dict[str, Any]:
    """Write a level of the spatial index, and return its member of `info`."""
    cells, counts = np.unique(level.cells, return_counts=True)
    ends = np.cumsum(counts)

    def values() -> Iterator[bytes]:
        for begin, end in zip((ends - counts).tolist(), ends.tolist(), strict=True):
            chosen = level.points[begin:end]
            count = np.uint64(end - begin).tobytes()
            yield count + points.rows[chosen].tobytes() + points.labels[chosen].tobytes()

    sizes = 8 + counts * (points.rows.dtype.itemsize + 8)
    sharding = Sharding(0, _bits(len(cells), _PER_MINISHARD))
    _write_shard(folder, 0, cells, sizes, values(), sharding)
    return {
        "key": folder.name,
        "sharding": sharding_info(sharding),
        "grid_shape": level.shape.tolist(),
        "chunk_size": level.size.tolist(),
        "limit": int(counts.max()),
    }


def _write_labels(folder: Path, points: Points, dtype: np.dtype) -> dict[str, str | int]:
    """Write a value of this type for each label, and return how they are sharded.

    dtype: fields `row`, `label` and `count`, which is 1.
    """
    shard_bits = _bits(len(points.labels), _PER_SHARD)
    minishard_bits = _bits(len(points.labels) >> shard_bits, _PER_MINISHARD)
    sharding = Sharding(shard_bits, minishard_bits)
    shards = shard_of(points.labels, sharding)
    for shard in range(sharding.num_shards):
        own = np.flatnonzero(shards == shard)
        values = np.empty(len(own), dtype)
        values["row"], values["label"], values["count"] = points.rows[own], points.labels[own], 1
        sizes = np.full(len(own), dtype.itemsize)
        _write_shard(folder, shard, points.labels[own], sizes, [values.tobytes()], sharding)
    return sharding_info(sharding)


def _write_shard(
    folder: Path,
    shard: int,
    keys: np.ndarray,
    sizes: np.ndarray,
    values: Iterable[bytes],
    sharding: Sharding,
) -> None:
    """Write a shard file, whole or not at all.

    keys: uint64 (n,), ascending. sizes: bytes of the value of each, int64 (n,). values: all values
    in this order, in parts.
    """
    ends = sharding.index_bytes + np.cumsum(sizes)
    index, minishards = encode_index(keys, ends - sizes, sizes, int(ends[-1]), sharding)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{shard_name(shard, sharding)}.shard"
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(index.tobytes())
        file.writelines(values)
        file.write(minishards.tobytes())


def _bits(count: int, per_part: int) -> int:
    """The binary logarithm of the parts that `count` things are divided into."""
    return max(0, math.ceil(math.log2(max(count, 1) / per_part)))
