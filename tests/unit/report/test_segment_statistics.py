"""What is said of all segments, against numpy on all of them at once."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snakemesh.report import segments as module
from snakemesh.report.segments import (
    MAX_FACES,
    MOST_DRAWABLE,
    MOST_LARGEST,
    MOST_SAMPLED,
    SIZE_EDGES,
    read_segments,
    with_mesh,
)

VOXEL_NM3 = 40 * 32 * 32


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A table in groups of rows, the third of them small, and its columns."""
    rng = np.random.default_rng(1)
    n = 2 * MOST_SAMPLED + 100
    voxels = (10 ** rng.uniform(0, 8, n)).astype(np.uint64)
    voxels[:3] = 0
    errors = rng.normal(0.001, 0.01, n)
    columns = {
        "label": np.arange(n, dtype=np.uint64) * np.uint64(7) + np.uint64(2**63),
        "voxels": voxels,
        "volume": np.maximum(voxels, 1) * VOXEL_NM3 * (1 + errors),
        "faces": rng.integers(4, 1000, n).astype(np.uint32),
        "lods": np.full(n, 2, np.uint8),
        **{f"{axis}_centroid": rng.uniform(0, 1e5, n) for axis in "xyz"},
        "more": np.arange(n),
    }
    path = tmp_path_factory.mktemp("table") / "segments.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=MOST_SAMPLED)
    return path, columns, errors


def test_sums_and_histograms(written):
    path, columns, errors = written
    found = read_segments(path, VOXEL_NM3)
    assert found.count == len(errors)
    voxels = columns["voxels"].astype(float)
    assert found.sizes.tolist() == np.histogram(voxels, SIZE_EDGES)[0].tolist()
    assert found.held.sum() == pytest.approx(voxels.sum())
    assert 0.9 * MOST_SAMPLED < len(found.sample) < 1.1 * MOST_SAMPLED
    known = dict(zip(voxels[3:].tolist(), errors[3:].tolist(), strict=True))
    for size, error in found.sample[:50]:
        assert abs(known[size] - error) < 1e-9 or (voxels == size).sum() > 1


def test_the_largest_of_all_groups(written):
    path, columns, _ = written
    found = read_segments(path, VOXEL_NM3).largest
    order = np.argsort(-columns["volume"])[:MOST_LARGEST]
    assert found["label"].tolist() == columns["label"][order].tolist()
    assert found["centroid"][:, 2].tolist() == columns["z_centroid"][order].tolist()


def test_what_can_be_drawn_at_each_lod(tmp_path):
    """The largest of the most LODs and not too many faces, wherever in the table they are."""
    n = 3 * MOST_DRAWABLE
    lods = np.full(n, 3, np.uint8)
    lods[:MOST_DRAWABLE] = 2
    faces = np.full(n, 10)
    faces[-2] = MAX_FACES + 1
    columns = {
        "label": np.arange(n, dtype=np.uint64),
        "voxels": np.full(n, 5),
        "volume": np.arange(n, dtype=float),
        "faces": faces,
        "lods": lods,
        **{f"{axis}_centroid": np.zeros(n) for axis in "xyz"},
    }
    pq.write_table(pa.table(columns), tmp_path / "t", row_group_size=7)
    found = read_segments(tmp_path / "t", 1.0).drawable["label"].tolist()
    assert found == [n - 1, *range(n - 3, n - 2 - MOST_DRAWABLE, -1)]


def test_labels_with_a_mesh(written):
    path, columns, _ = written
    labels = columns["label"]
    asked = np.unique(np.concatenate([labels[::1000], labels[::1000] + np.uint64(1)]))
    assert with_mesh(path, asked).tolist() == labels[::1000].tolist()


def test_a_table_without_rows(tmp_path):
    names = [*module._COLUMNS, *module._CENTROID]
    pq.write_table(pa.table({name: pa.array([], pa.float64()) for name in names}), tmp_path / "t")
    found = read_segments(tmp_path / "t", 1.0)
    assert found.count == 0 and len(found.sample) == 0 and len(found.largest) == 0
