"""Tables of users, read back from what other programs write."""

import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.errors import UserError
from snakemesh.tables.properties import read_properties
from snakemesh.tables.read import read_table
from snakemesh.tables.table import id_column, labels_of, texts_of

labels = st.lists(st.integers(0, 2**64 - 1), max_size=8)
# Whatever a cell may hold, line ends and quotes among it.
cells = st.text(st.sampled_from('ab,"\r\n \té\u2028'), max_size=5)
rows = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), cells, cells), max_size=8, unique_by=lambda row: row[0]
)


def written(folder, data):
    path = folder / "table"
    path.write_bytes(data)
    return path


def as_csv(table, line_end="\r\n", quoting=csv.QUOTE_MINIMAL):
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=line_end, quoting=quoting).writerows(table)
    return file.getvalue()


def as_parquet(path, **columns):
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


@settings(deadline=None)
@given(
    rows=rows,
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_what_is_written_as_csv_is_read(tmp_path_factory, rows, line_end, quoting, mark):
    if line_end != "\r\n" and quoting == csv.QUOTE_MINIMAL:
        # this writer would not quote another end of line
        rows = [tuple("".join(str(cell).splitlines()) for cell in row) for row in rows]
    text = mark + as_csv([("id", "name", "type"), *rows], line_end, quoting)
    table = read_properties(written(tmp_path_factory.mktemp("csv"), text.encode()))
    assert table.labels.dtype == np.uint64
    rows = sorted((int(label), name, kind) for label, name, kind in rows)
    assert table.labels.tolist() == [label for label, _, _ in rows]
    assert table.names.to_pylist() == [name.strip() or None for _, name, _ in rows]
    assert table.columns[0].values.to_pylist() == [kind.strip() or None for _, _, kind in rows]


@settings(deadline=None)
@given(rows=rows, labels=st.sampled_from([pa.uint64(), pa.string(), pa.decimal128(20)]))
def test_csv_and_parquet_are_the_same_table(tmp_path_factory, rows, labels):
    folder = tmp_path_factory.mktemp("both")
    ids, names, kinds = ([row[i] for row in rows] for i in range(3))
    ids = [str(i) for i in ids] if labels == pa.string() else ids
    path = as_parquet(folder / "b", id=pa.array(ids, labels), name=names, type=kinds)
    a = read_properties(written(folder, as_csv([("id", "name", "type"), *rows]).encode()))
    b = read_properties(path)
    np.testing.assert_array_equal(a.labels, b.labels)
    assert a.names.to_pylist() == b.names.to_pylist()
    assert [c.values.to_pylist() for c in a.columns] == [c.values.to_pylist() for c in b.columns]


def test_what_parquet_can_hold(tmp_path):
    path = as_parquet(
        tmp_path / "a.parquet",
        object_id=pa.array([3, 4], pa.int8()),
        kind=pa.array(["axon", None]).dictionary_encode(),
        length=[1.5, None],
        rank=pa.array([2**63, 7], pa.uint64()),
        share=pa.array([0.1, float("nan")], pa.float32()),
        seen=[True, None],
        nothing=pa.nulls(2),
    )
    table = read_properties(path)
    assert table.labels.tolist() == [3, 4]
    found = {column.name: column.values.to_pylist() for column in table.columns}
    assert found == {
        "kind": ["axon", None],
        "length": [1.5, None],
        "rank": [2**63, 7],
        "share": [0.1, None],
        "seen": ["true", None],
        "nothing": [None, None],
    }


def test_parquet_in_row_groups_and_without_rows(tmp_path):
    table = pa.table({"id": [1, 2, 3], "type": pa.array(["a", "b", "a"]).dictionary_encode()})
    pyarrow.parquet.write_table(table, tmp_path / "a", row_group_size=1)
    assert read_properties(tmp_path / "a").columns[0].values.to_pylist() == ["a", "b", "a"]
    pyarrow.parquet.write_table(table.slice(0, 0), tmp_path / "a")
    assert len(read_properties(tmp_path / "a").labels) == 0


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pa.array([1, 2, -3]), "row 3 has the label '-3', expected a whole number below 2^64"),
        (pa.array([1, None]), "row 2 has the label ''"),
        (pa.array(["1", "2x"]), "row 2 has the label '2x'"),
        (pa.array([1, 2, 1]), "row 3 has label 1 again, after row 1"),
        (pa.array([1.0, 2.0]), "has labels of type double in the column 'id', expected whole"),
        (pa.array([[1], [2]]), "has values of type list<"),
    ],
)
def test_labels_of_parquet_that_are_none(tmp_path, column, says):
    path = as_parquet(tmp_path / "a.parquet", type=pa.nulls(len(column)), id=column)
    with pytest.raises(UserError) as caught:
        read_properties(path)
    message = str(caught.value)
    assert message.startswith(f"config key segment_properties_csv: {path}")
    assert says in message and message.isprintable()


def test_parquet_that_is_damaged(tmp_path):
    path = as_parquet(tmp_path / "a.parquet", id=[1, 2])
    whole = path.read_bytes()
    for size in (4, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="a.parquet is not sound Parquet .*"):
            read_properties(path)
    latin = pa.array([b"\xe9"]).view(pa.string())
    as_parquet(path, id=[1], name=latin)
    with pytest.raises(UserError, match="is not sound Parquet .*UTF8"):
        read_properties(path)
    as_parquet(path)
    with pytest.raises(UserError, match="is empty, expected columns"):
        read_properties(path)


def read(path, key="target_ids", smallest=1):
    table = read_table(key, path)
    return labels_of(table, id_column(table), smallest).tolist()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", " is empty, expected a line of headings"),
        (b"\xef\xbb\xbf", " is empty"),
        (b" \n,,\n", " is empty"),
        (b"id\n0\n", ", line 2 has the label '0', expected a whole number from 1 and below 2^64"),
        (b"id\n1\n-1\n", ", line 3 has the label '-1'"),
        (b"id\n1\n\n\n1e3\n", ", line 5 has the label '1e3'"),
        (b"id\n17.0\n", ", line 2 has the label '17.0'"),
        (b"id\n0x1F\n", ", line 2 has the label '0x1F'"),
        (b"id\n18446744073709551616\n", ", line 2 has the label '18446744073709551616'"),
        (b"id\n\xd9\xa3\n", ", line 2 has the label '\u0663'"),
        (b"id,x\n,7\n", ", line 2 has the label ''"),
        (b'x,id\n"a\nb",1\nc,z\n', ", line 4 has the label 'z'"),
        (b"id,x\n1,2\n\r\n3\n", ", line 4 has 1 values, expected 2, one for each heading"),
        (b"id,x\n1,2,3\n", ", line 2 has 3 values, expected 2"),
        (b"id\n1,2\n", ", line 2 has 2 values, expected 1"),
        (b'id,x\n1,"2\n3,4\n', ", line 3 is not CSV ("),
        # two quotes that are never closed are as many as if they were
        (b'id,x\n1,"2\n3,"4\n', ", line 3 is not CSV ("),
        (b"id,x\n1,\xe9\n", " is not text in UTF-8"),
        (b"\xff\xfei\0d\0\n\0", " is not text in UTF-8"),
    ],
)
def test_labels_of_csv_that_are_none(tmp_path, data, says):
    path = written(tmp_path, data)
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"config key target_ids: {path}{says}"), message
    assert message.isprintable()


def test_lines_are_those_of_an_editor(tmp_path):
    """Blank rows, line ends in quotes and three kinds of line ends count as lines."""
    for end in ("\n", "\r\n", "\r"):
        text = end.join(["", '"i', 'd",x', "", "1,2", ' , "', '3,"a', 'b"', "oops,7"])
        text = text.replace(' , "', " , ")
        with pytest.raises(UserError, match="line 9 has the label 'oops'"):
            read(written(tmp_path, text.encode()))


@settings(deadline=None)
@given(labels=labels, end=st.sampled_from(["", "\n", "\r\n"]))
def test_lists_of_labels_are_exact(tmp_path_factory, labels, end):
    folder = tmp_path_factory.mktemp("ids")
    text = "\n".join(["Segment ID", *map(str, labels)]) + end
    assert read(written(folder, text.encode()), smallest=0) == labels
    path = as_parquet(folder / "a", id=pa.array(labels, pa.uint64()))
    assert read(path, smallest=0) == labels


def test_nan_and_blanks_are_nothing(tmp_path):
    table = read_table("key", written(tmp_path, b"id,a\n1,NaN\n2, x \n3,\n"))
    assert texts_of(table, 1).to_pylist() == ["", "x", ""]
