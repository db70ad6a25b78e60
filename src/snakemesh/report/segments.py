"""What the table of all segments says of them, read group by group of rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from snakemesh.ascending import find

# Bins of sizes, in voxels: five to a power of ten.
SIZE_EDGES = 10.0 ** np.arange(0, 16.01, 0.2)
# Bins of errors: finer towards 0, and what is beyond 1.
_FINER = np.geomspace(1e-5, 1, 121)
ERROR_EDGES = np.concatenate([[-np.inf], -_FINER[::-1], [0], _FINER, [np.inf]])
# Of all segments, at most so many are dots in a plot, and so many are known one by one.
MOST_DOTS, MOST_LARGEST = 6000, 40
# Segments of so many faces at LOD 0 can be drawn at each of their LODs; so many of them are known.
MAX_FACES, MOST_DRAWABLE = 1_500_000, 15
LARGEST = np.dtype(
    [
        ("label", "<u8"),
        ("voxels", "<u8"),
        ("volume", "<f8"),
        ("faces", "<u8"),
        ("lods", "u1"),
        ("centroid", "<f8", (3,)),
    ]
)
_COLUMNS = ["label", "voxels", "volume", "faces", "lods"]
_CENTROID = ["x_centroid", "y_centroid", "z_centroid"]


@dataclass(frozen=True)
class Segments:
    """What is known of all segments.

    count: of them. sizes: segments by bin of SIZE_EDGES, and held: their voxels. errors: segments
    by bins of SIZE_EDGES and of ERROR_EDGES; an error is volume / volume of the voxels - 1. dots:
    voxels and error of some of them, (n, 2). largest: dtype LARGEST, the largest first; centroids
    are x y z in nm. drawable: the same, the largest of those of the most LODs and of at most
    MAX_FACES.
    """

    count: int
    sizes: np.ndarray
    held: np.ndarray
    errors: np.ndarray
    dots: np.ndarray
    largest: np.ndarray
    drawable: np.ndarray


def read_segments(path: str | Path, voxel_nm3: float) -> Segments:
    """Read `segments.parquet`. voxel_nm3: the volume of a voxel of s0."""
    file = pq.ParquetFile(path)
    total = file.metadata.num_rows
    rng = np.random.default_rng(0)
    shown = MOST_DOTS / max(total, MOST_DOTS)
    shape = (len(SIZE_EDGES) - 1, len(ERROR_EDGES) - 1)
    sizes, held, errors = np.zeros(shape[0], int), np.zeros(shape[0]), np.zeros(shape, int)
    dots = [np.empty((0, 2))]
    largest, drawable = np.empty(0, LARGEST), np.empty(0, LARGEST)
    for i in range(file.num_row_groups):
        group = file.read_row_group(i, [*_COLUMNS, *_CENTROID])
        rows = np.zeros(len(group), LARGEST)
        for name in _COLUMNS:
            rows[name] = group[name].to_numpy()
        for axis, name in enumerate(_CENTROID):
            rows["centroid"][:, axis] = group[name].to_numpy()
        largest = _first(np.concatenate([largest, rows]), MOST_LARGEST)
        few = rows[rows["faces"] <= MAX_FACES]
        drawable = np.concatenate([drawable, few])
        most_lods = drawable["lods"] == drawable["lods"].max(initial=0)
        drawable = _first(drawable[most_lods], MOST_DRAWABLE)
        voxels = rows["voxels"].astype(float)
        sizes += np.histogram(voxels, SIZE_EDGES)[0]
        held += np.histogram(voxels, SIZE_EDGES, weights=voxels)[0]
        counted = voxels > 0
        error = rows["volume"][counted] / (voxels[counted] * voxel_nm3) - 1
        errors += np.histogram2d(voxels[counted], error, (SIZE_EDGES, ERROR_EDGES))[0].astype(int)
        chosen = rng.random(len(error)) < shown
        dots.append(np.stack([voxels[counted][chosen], error[chosen]], axis=1))
    return Segments(
        total,
        sizes,
        held,
        errors,
        np.concatenate(dots),
        largest,
        drawable,
    )


def _first(rows: np.ndarray, count: int) -> np.ndarray:
    """The rows of the largest volume; of equal ones, the smaller labels first."""
    return rows[np.lexsort((rows["label"], -rows["volume"]))[:count]]


def with_mesh(path: str | Path, labels: np.ndarray) -> np.ndarray:
    """Those of some ascending labels (uint64) that are in the table, and so have a mesh."""
    found = np.zeros(len(labels), bool)
    file = pq.ParquetFile(path)
    for i in range(file.num_row_groups):
        _, is_there = find(file.read_row_group(i, ["label"])["label"].to_numpy(), labels)
        found |= is_there
    return labels[found]


def quantiles(counts: np.ndarray, edges: np.ndarray, parts: tuple[float, ...]) -> np.ndarray:
    """Quantiles of binned values, (rows, parts), to the width of a bin; NaN for empty rows.

    counts: (rows, bins). edges: (bins + 1,), of which the first and last may be infinite.
    """
    finite = np.clip(edges, edges[1], edges[-2])
    found = np.full((len(counts), len(parts)), np.nan)
    for row in np.flatnonzero(counts.sum(axis=1)):
        reached = np.concatenate([[0], np.cumsum(counts[row])]) / counts[row].sum()
        found[row] = np.interp(parts, reached, finite)
    return found
