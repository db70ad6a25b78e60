"""The stream of summaries, the table of all segments, and the largest ones, next to plain twins."""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damaging import flip
from snakemesh.errors import DamagedError
from snakemesh.output.served import served_file
from snakemesh.tables.measures import SUMMARY, measures_of
from snakemesh.tables.merge import MIN_ROWS, in_groups, merged
from snakemesh.tables.properties import NO_PROPERTIES, read_properties
from snakemesh.tables.segments import ROWS_OF_A_GROUP, index_segments, write_segments
from snakemesh.tables.summaries import all_rows, checked_summary, largest

SOURCE = Path(__file__).resolve().parents[3] / "src"


def rows_for(labels, seed=0):
    """Rows of random numbers; some volumes are equal."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(len(labels), SUMMARY)
    rows["label"] = labels
    rows["volume"] = rng.integers(1, 20, len(labels)) * 0.1
    rows["voxels"] = rng.integers(1, 1 << 60, len(labels))
    rows["area"], rows["faces"] = rng.random(len(labels)), rng.integers(1, 1 << 32, len(labels))
    rows["lods"] = rng.integers(1, 17, len(labels))
    rows["sphericity"], rows["border"] = rng.random(len(labels)), rng.integers(0, 99, len(labels))
    for name in ("lower", "upper", "centroid", "axes", "direction"):
        rows[name] = rng.normal(size=(len(labels), 3))
    return rows


def saved(folder, parts):
    """Summaries of these rows on the disk, checked."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for i, rows in enumerate(parts):
        path = str(folder / f"{i}.npy")
        np.save(path, rows)
        found.append(checked_summary(path, asdict(served_file(path)), SUMMARY))
    return found


def parts_of(rows, shards, seed=0):
    """These rows, spread over shards at random."""
    shard = np.random.default_rng(seed).integers(0, shards, len(rows))
    return [rows[shard == i] for i in range(shards)]


labels = st.lists(
    st.integers(1, 500) | st.integers(2**64 - 9, 2**64 - 1), unique=True, max_size=300
)


@settings(deadline=None)
@given(labels=labels, shards=st.integers(1, 6), by_range=st.booleans())
def test_a_stream_of_summaries_is_all_their_rows_by_label(
    tmp_path_factory, labels, shards, by_range
):
    rows = rows_for(sorted(labels))
    # where shards are ranges of labels, blocks end far from each other
    parts = np.array_split(rows, shards) if by_range else parts_of(rows, shards)
    summaries = saved(tmp_path_factory.mktemp("shards"), parts)
    batches = list(merged(summaries, rows_at_once=1))
    assert all(0 < len(batch) <= MIN_ROWS * shards for batch in batches)
    np.testing.assert_array_equal(np.concatenate([rows[:0], *batches]), rows)
    groups = list(in_groups(batches, 7))
    assert all(len(group) == 7 for group in groups[:-1]) and all(map(len, groups))
    np.testing.assert_array_equal(np.concatenate([rows[:0], *groups]), rows)


def test_a_stream_does_not_hold_all(tmp_path):
    """The first rows come out before the last ones are read."""
    rows = rows_for(np.arange(1, 4001))
    summaries = saved(tmp_path, parts_of(rows, 4))
    stream = merged(summaries, rows_at_once=400)
    first = next(stream)
    assert 0 < len(first) <= 400
    for summary in summaries:  # what has gone out is not looked at again
        data = bytearray(summary.path.read_bytes())
        data[summary.begin : summary.begin + 50 * SUMMARY.itemsize] = bytes(50 * SUMMARY.itemsize)
        summary.path.write_bytes(data)
    np.testing.assert_array_equal(np.concatenate([first, *stream]), rows)


def test_labels_in_two_shards_or_out_of_order(tmp_path):
    twice = saved(tmp_path / "a", [rows_for([3, 7]), rows_for([5, 7])])
    with pytest.raises(ValueError, match="label 7 is in the summaries of two shards"):
        list(all_rows(twice))
    with pytest.raises(ValueError, match="do not ascend"):
        list(merged(saved(tmp_path / "b", [rows_for([7, 3])])))
    assert list(merged([])) == list(merged(saved(tmp_path / "c", [rows_for([])]))) == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "is gone"),
        (lambda path: os.truncate(path, 200), "is not what was written"),
        (lambda path: path.write_bytes(b""), "is not what was written"),
        # in the middle, where a glance at the ends does not see it
        (lambda path: flip(path, path.stat().st_size // 2), "is not what was written"),
    ],
)
def test_a_damaged_summary_is_named(tmp_path, damage, says):
    (summary,) = saved(tmp_path, [rows_for(np.arange(1, 3000))])
    record = asdict(served_file(summary.path))
    damage(summary.path)
    with pytest.raises(DamagedError) as caught:
        checked_summary(str(summary.path), record, SUMMARY)
    assert says in str(caught.value) and str(summary.path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_summary_of_another_version_or_without_a_record(tmp_path):
    path = tmp_path / "0.npy"
    np.save(path, np.zeros(3, [("label", "<u8"), ("volume", "<f8")]))
    with pytest.raises(DamagedError, match="not a summary of this version"):
        checked_summary(str(path), asdict(served_file(path)), SUMMARY)
    with pytest.raises(DamagedError, match="is not what was written"):
        checked_summary(str(path), {}, SUMMARY)


@given(st.lists(st.integers(0, 5), max_size=40), st.none() | st.integers(0, 45))
def test_the_largest(volumes, count):
    rows = rows_for(np.arange(1, len(volumes) + 1))
    rows["volume"] = volumes
    ranked = sorted(rows[["volume", "label"]].tolist(), key=lambda row: (-row[0], row[1]))
    assert largest(rows, count)["label"].tolist() == sorted(label for _, label in ranked[:count])


@pytest.mark.parametrize("limit", [0, 1, 30, 299, 300, None])
def test_the_index_is_that_of_a_twin_in_memory(tmp_path, limit, monkeypatch):
    monkeypatch.setattr("snakemesh.tables.segments.ROWS_OF_A_GROUP", 17)
    rows = rows_for(np.sort(np.random.default_rng(1).choice(10**6, 300, replace=False)) + 1)
    (csv := tmp_path / "table.csv").write_text(
        "id,name,parent\n" + "".join(f"{i},body {i},{i * 2**40}\n" for i in rows["label"][::3])
    )
    summaries = saved(tmp_path, parts_of(rows, 5))
    path = tmp_path / "segments.parquet"
    seen = index_segments(path, summaries, read_properties(csv), limit)

    assert seen.count == 300
    ranked = sorted(range(300), key=lambda i: (-rows["volume"][i], rows["label"][i]))
    np.testing.assert_array_equal(seen.listed, rows[sorted(ranked[:limit])])
    found = pq.read_table(path)
    expected = {"label": rows["label"].tolist()}
    for name in ("volume", "voxels", "area", "faces", "lods", "sphericity"):
        expected[name] = rows[name].tolist()
    expected["border_voxels"] = rows["border"].tolist()
    for i, name in enumerate(("major", "middle", "minor")):
        expected[f"{name}_axis"] = rows["axes"][:, i].tolist()
    for i, axis in enumerate("xyz"):
        expected[f"{axis}_min"] = rows["lower"][:, i].tolist()
        expected[f"{axis}_max"] = rows["upper"][:, i].tolist()
        expected[f"{axis}_centroid"] = rows["centroid"][:, i].tolist()
        expected[f"{axis}_direction"] = rows["direction"][:, i].tolist()
    given = [None] * 300
    given[::3] = rows["label"][::3].tolist()
    expected["name"] = [None if i is None else f"body {i}" for i in given]
    expected["parent"] = [None if i is None else i * 2**40 for i in given]
    assert found.to_pydict() == expected
    assert found.column_names[:3] == ["label", "name", "volume"]
    assert found.column_names[-1] == "parent"
    assert found["label"].to_numpy().dtype == np.uint64
    assert pq.ParquetFile(path).num_row_groups == 18


def test_the_bytes_do_not_depend_on_the_shards(tmp_path):
    rows = rows_for(np.arange(1, 1000))
    for shards in (1, 7):
        summaries = saved(tmp_path / str(shards), parts_of(rows, shards))
        index_segments(tmp_path / f"{shards}.parquet", summaries, NO_PROPERTIES, 10)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "7.parquet").read_bytes()


def test_what_the_file_says_of_itself(tmp_path):
    rows = rows_for(np.arange(1, ROWS_OF_A_GROUP + 100))
    index_segments(path := tmp_path / "a", saved(tmp_path, [rows]), NO_PROPERTIES, None)
    file = pq.ParquetFile(path)
    first = file.metadata.row_group(0)
    assert [file.metadata.row_group(i).num_rows for i in range(2)] == [ROWS_OF_A_GROUP, 99]
    assert {first.column(i).compression for i in range(first.num_columns)} == {"ZSTD"}
    assert first.sorting_columns == (pq.SortingColumn(0),)
    assert first.column(0).statistics.max == ROWS_OF_A_GROUP
    for measure in measures_of(SUMMARY):
        described = file.schema_arrow.field(measure.name).metadata[b"description"]
        assert described.decode() == measure.description


def test_no_segments(tmp_path):
    seen = index_segments(tmp_path / "a", [], NO_PROPERTIES, 5)
    assert (seen.count, len(seen.listed)) == (0, 0)
    found = pq.read_table(tmp_path / "a")
    assert found.num_rows == 0 and found.schema.field("voxels").type == pa.uint64()


def test_a_table_that_fails_half_way_leaves_the_old_one(tmp_path):
    rows = rows_for([5, 9])
    write_segments(path := tmp_path / "segments.parquet", [rows], NO_PROPERTIES)
    before = path.read_bytes()

    def broken():
        yield rows
        raise DamagedError(path, "is damaged")

    with pytest.raises(DamagedError):
        write_segments(path, broken(), NO_PROPERTIES)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("cells", "data_type", "values"),
    [
        (["1", "", "-3"], pa.int64(), [1, None, -3]),
        (["9007199254740993", "+5", "007"], pa.int64(), [9007199254740993, 5, 7]),
        ([str(2**64 - 1), "", "0"], pa.uint64(), [2**64 - 1, None, 0]),
        # whole numbers that a library has written as floats, because one was missing
        (["5.0", "NaN", "720575940379279489.0"], pa.int64(), [5, None, 720575940379279489]),
        ([str(2**64 - 1), "-1", ""], pa.string(), [str(2**64 - 1), "-1", None]),
        ([str(2**70), "1", ""], pa.string(), [str(2**70), "1", None]),
        (["1.5", ".5", "1e300"], pa.float64(), [1.5, 0.5, 1e300]),
        (["1.5", "9007199254740991", ""], pa.float64(), [1.5, 9007199254740991.0, None]),
        (["1.5", "9007199254740993", ""], pa.string(), ["1.5", "9007199254740993", None]),
        (["1e400", "1.5", ""], pa.string(), ["1e400", "1.5", None]),
        (["0x1F", "1", "2"], pa.string(), ["0x1F", "1", "2"]),
        (["true", "", "é, b"], pa.string(), ["true", None, "é, b"]),
        (["", "", ""], pa.string(), [None, None, None]),
    ],
)
def test_columns_keep_what_they_say(tmp_path, cells, data_type, values):
    (csv := tmp_path / "table.csv").write_text(
        "id,the column\n" + "".join(f'{i},"{cell}"\n' for i, cell in enumerate(cells, 1)),
        encoding="utf-8",
    )
    # one label has no row, and one row no label
    rows = rows_for([1, 2, 4])
    write_segments(tmp_path / "a", [rows], read_properties(csv))
    column = pq.read_table(tmp_path / "a")
    assert column.schema.field("the_column").type == data_type
    assert column.schema.field("the_column").metadata[b"description"] == b"the column"
    assert column["the_column"].to_pylist() == [*values[:2], None]


def test_no_other_job_imports_what_writes_the_table():
    code = (
        "import sys; from snakemesh.mesh import block; from snakemesh.multires import shard; "
        "from snakemesh.pyramid import super_chunk; from snakemesh.output import served; "
        "sys.exit('pyarrow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCE)}, check=True)
