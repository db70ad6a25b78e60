"""What the table of all segments says of them, read group by group of rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from snakemesh.ascending import find

# Bins of sizes, in voxels: five to a power of ten.
SIZE_EDGES = 10.0 ** np.arange(0, 16.01, 0.2)
# The most segments in a sample, and among the largest.
MOST_SAMPLED, MOST_LARGEST = 20_000, 40
# The most faces at LOD 0 of a segment that is drawn at each LOD, and how many of these are known.
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

    count: their number. sizes, held: segments by bin of SIZE_EDGES, and their voxels. sample:
    voxels and errors of some of them, (n, 2); an error is volume / volume of the voxels - 1.
    largest: dtype LARGEST, the largest first; centroids are x y z in nm. drawable: the same, the
    largest of those of the most LODs and of at most MAX_FACES.
    """

    count: int
    sizes: np.ndarray
    held: np.ndarray
    sample: np.ndarray
    largest: np.ndarray
    drawable: np.ndarray


def read_segments(path: str | Path, voxel_nm3: float) -> Segments:
    """Read `segments.parquet`, row group by row group. voxel_nm3: the volume of a voxel of s0."""
    file = pq.ParquetFile(path)
    total = file.metadata.num_rows
    rng = np.random.default_rng(0)
    sizes, held = np.zeros((2, len(SIZE_EDGES) - 1))
    sample, largest, drawable = np.empty((0, 2)), np.empty(0, LARGEST), np.empty(0, LARGEST)
    for i in range(file.num_row_groups):
        group = file.read_row_group(i, [*_COLUMNS, *_CENTROID])
        rows = np.zeros(len(group), LARGEST)
        for name in _COLUMNS:
            rows[name] = group[name].to_numpy()
        for axis, name in enumerate(_CENTROID):
            rows["centroid"][:, axis] = group[name].to_numpy()
        largest = _first(np.concatenate([largest, rows]), MOST_LARGEST)
        drawable = np.concatenate([drawable, rows[rows["faces"] <= MAX_FACES]])
        most_lods = drawable["lods"] == drawable["lods"].max(initial=0)
        drawable = _first(drawable[most_lods], MOST_DRAWABLE)
        voxels = rows["voxels"].astype(float)
        sizes += np.histogram(voxels, SIZE_EDGES)[0]
        held += np.histogram(voxels, SIZE_EDGES, weights=voxels)[0]
        chosen = (voxels > 0) & (rng.random(len(rows)) < MOST_SAMPLED / max(total, MOST_SAMPLED))
        error = rows["volume"][chosen] / (voxels[chosen] * voxel_nm3) - 1
        sample = np.concatenate([sample, np.stack([voxels[chosen], error], axis=1)])
    return Segments(total, sizes, held, sample, largest, drawable)


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
