"""The table of the LODs of all segments."""

from dataclasses import asdict

import numpy as np
import pyarrow.parquet as pq
import pytest

from snakemesh.errors import DamagedError
from snakemesh.output.served import served_file
from snakemesh.tables.lods import LABELS_OF_A_GROUP, write_lods
from snakemesh.tables.measures import LOD_MEASURES, lods_dtype
from snakemesh.tables.summaries import checked_summary

NAMES = [name for name, *_ in LOD_MEASURES]


def rows_for(labels, num_lods):
    rng = np.random.default_rng(0)
    rows = np.zeros(len(labels), lods_dtype(num_lods))
    rows["label"], rows["lods"] = labels, rng.integers(1, num_lods + 1, len(labels))
    for name in NAMES:
        rows[name] = rng.integers(0, 1 << 32, (len(labels), num_lods))
    return rows


def saved(folder, rows, shards):
    """Summaries of these rows on the disk, checked."""
    found = []
    for i in range(shards):
        np.save(path := folder / f"{shards}.{i}.npy", rows[i::shards])
        found.append(checked_summary(str(path), asdict(served_file(path)), rows.dtype))
    return found


@pytest.mark.parametrize("num_lods", [1, 3, 16])
def test_a_row_for_each_lod_that_a_label_keeps(tmp_path, num_lods):
    rows = rows_for(np.arange(1, 300) * 2**54, num_lods)
    write_lods(path := tmp_path / "lods.parquet", saved(tmp_path, rows, 5))
    expected = [
        {"label": int(row["label"]), "lod": lod, **{name: row[name][lod] for name in NAMES}}
        for row in rows
        for lod in range(row["lods"])
    ]
    assert pq.read_table(path).to_pylist() == expected


def test_the_bytes_do_not_depend_on_the_shards(tmp_path):
    rows = rows_for(np.arange(LABELS_OF_A_GROUP + 9), 2)
    for shards in (1, 3):
        write_lods(tmp_path / f"{shards}.parquet", saved(tmp_path, rows, shards))
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()
    assert pq.ParquetFile(tmp_path / "1.parquet").num_row_groups == 2


def test_no_segments(tmp_path):
    write_lods(path := tmp_path / "lods.parquet", saved(tmp_path, rows_for([], 3), 2))
    found = pq.read_table(path)
    assert found.num_rows == 0 and found.column_names == ["label", "lod", *NAMES]


def test_a_summary_of_another_number_of_lods(tmp_path):
    np.save(path := tmp_path / "0.npy", rows_for([1], 3))
    with pytest.raises(DamagedError, match="not a summary of this version"):
        checked_summary(str(path), asdict(served_file(path)), lods_dtype(4))
