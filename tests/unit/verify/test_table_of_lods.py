"""Verification compares the table of LODs with the meshes."""

import numpy as np
import pytest

from snakemesh.tables.lods import write_lods
from snakemesh.tables.measures import lods_dtype
from snakemesh.tables.merge import Run
from snakemesh.verify.failures import Failures
from snakemesh.verify.properties import LOD_COLUMNS, check_lods
from snakemesh.verify.shard import LOD_SUMS, ROW


def found_in(path, wrong=None, finest=None):
    """The failures where the sum of one column, or a number at LOD 0, is not what was read."""
    sums = np.zeros(2, LOD_SUMS)
    sums["labels"] = [2, 1]
    for name in LOD_COLUMNS:
        sums[name] = [2 * 5, 5]
    if wrong is not None:
        sums[wrong][1] += 1
    rows, failures = np.zeros(2, ROW), Failures()
    rows["label"], rows["checked"] = [3, 4], True
    for name in ("faces", "volume", "area"):
        rows[name] = 5
    if finest is not None:
        rows[finest][1] += 1
    check_lods(path, rows, sums, failures)
    return failures.count


@pytest.fixture
def table(tmp_path):
    rows = np.zeros(2, lods_dtype(2))
    rows["label"], rows["lods"] = [3, 4], [2, 1]
    for name in (*LOD_COLUMNS, "volume", "area"):
        rows[name] = 5
    rows.tofile(tmp_path / "rows")
    write_lods(tmp_path / "lods.parquet", [Run(tmp_path / "rows", 0, 2, rows.dtype)])
    return tmp_path / "lods.parquet"


@pytest.mark.parametrize("wrong", [None, "labels", *LOD_COLUMNS])
def test_sums_are_compared(table, wrong):
    assert found_in(table, wrong) == ({} if wrong is None else {"properties": 1})


@pytest.mark.parametrize("wrong", ["label", "faces", "volume", "area"])
def test_rows_of_the_finest_lod_are_compared(table, wrong):
    assert found_in(table, finest=wrong) == {"properties": 1}


def test_a_table_that_cannot_be_read(table):
    table.write_bytes(b"")
    assert found_in(table) == {"files": 1}
