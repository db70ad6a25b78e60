"""Tables of bodies as users have them: every format gives the same rows, and mistakes are named."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from snakemesh.errors import UserError
from snakemesh.tables import read as module
from snakemesh.tables.bodies import batches, content_hash, table_facts

ROWS = np.array([[5, 7], [2**64 - 1, 2**63], [3, 0], [0, 0]], np.uint64)
LINES = "\n".join(f"{label},{body}" for label, body in ROWS.tolist())


def read(path):
    return np.concatenate(list(batches(str(path)))).view(np.uint64).reshape(-1, 2)


@pytest.mark.parametrize("heading", ["", "label,body\n", '"super voxel","body"\r\n', "\ufeff"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_csv(tmp_path, heading, ending):
    path = tmp_path / "table.csv"
    path.write_bytes((heading + LINES.replace("\n", ending)).encode())
    assert np.array_equal(read(path), ROWS)


def test_every_format_gives_the_same_rows_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    parquet.write_table(pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]}), tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", ROWS)
    np.save(tmp_path / "other.npy", np.asfortranarray(ROWS.astype(">u8")))
    for name in ("t.parquet", "t.npy", "other.npy"):
        assert np.array_equal(read(tmp_path / name), ROWS), name
        assert len(list(batches(str(tmp_path / name)))) > 1


def test_signed_and_small_integers(tmp_path):
    small = ROWS[2:].astype(np.int16)
    np.save(tmp_path / "t.npy", small)
    parquet.write_table(pa.table({"a": small[:, 0], "b": small[:, 1]}), tmp_path / "t.parquet")
    assert np.array_equal(read(tmp_path / "t.npy"), ROWS[2:])
    assert np.array_equal(read(tmp_path / "t.parquet"), ROWS[2:])


def test_what_a_plan_knows_of_a_table(tmp_path):
    path = tmp_path / "t.npy"
    np.save(path, ROWS)
    facts = table_facts(str(path), content_hash(str(path)))
    assert (facts.rows, facts.largest) == (4, 2**63)
    np.save(path, ROWS[::-1])
    assert content_hash(str(path)) != facts.content


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,2\n-3,4\n", ", line 2 has the label '-3', expected a whole number below 2^64"),
        ("1,2\n\n1.5,4\n", ", line 3 has the label '1.5'"),
        ("1,2\n1,\n", ", line 2 has the label ''"),
        ("1,2\n1,NA\n", ", line 2 has the label 'NA'"),
        ("label,body\n1,8.64E17\n", ", line 2 has the label '8.64E17'"),
        (f"1,2\n1,{2**64}\n", f", line 2 has the label '{2**64}'"),
        ("1,2\n1,2,3\n", ", line 2 has 3 values, expected 2"),
        ("a,b,c\n1,2,3\n", " has 3 columns, expected two: a label, and its body"),
        ("1\n2\n", " has 1 columns, expected two"),
        ("1;2\n", ", line 1 has the label '1;2'"),
        ("label,body\n", " has no rows"),
        ("", " is empty"),
        ("1,2\n0,3\n", ", line 2 gives label 0, the background, to body 3"),
        ("a,b\n\n0,0\n0,3\n", ", line 4 gives label 0, the background, to body 3"),
        ('1,2\n"3,4\n', ", line 2 is not CSV ("),
        ("1,2\n\xe9,4\n", " is not text in UTF-8"),
    ],
)
def test_a_wrong_csv(tmp_path, text, found):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="latin-1")
    refuses(path, found)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"a": [1], "b": [-2]}, ", row 1 has the label '-2'"),
        ({"a": [1], "b": [2.0]}, " has labels of type double in the column 'b'"),
        ({"a": [1], "b": ["2x"]}, ", row 1 has the label '2x'"),
        ({"a": [1], "b": [None]}, ", row 1 has the label ''"),
        ({"a": [1, None], "b": [2, 3]}, ", row 2 has the label ''"),
        ({"a": [1], "b": [2], "c": [3]}, " has 3 columns"),
        ({"a": pa.array([], pa.uint64()), "b": pa.array([], pa.uint64())}, " has no rows"),
    ],
)
def test_a_wrong_parquet(tmp_path, columns, found):
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    refuses(tmp_path / "t.parquet", found)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((2, 3), int), " has 3 columns"),
        (np.zeros(4, int), " is an array of int64, shape (4,)"),
        (np.zeros((2, 2)), " is an array of float64"),
        (np.zeros((0, 2), int), " has no rows"),
        (np.array([[3, 4], [1, -2]]), ", row 2 has the label '-2'"),
        (np.array([[1, None]]), " is not a sound array of numpy ("),
    ],
)
def test_a_wrong_npy(tmp_path, array, found):
    np.save(tmp_path / "t.npy", array)
    refuses(tmp_path / "t.npy", found)


@pytest.mark.parametrize("name", ["t.npy", "t.parquet"])
@pytest.mark.parametrize("left", [0, 8, 100])
def test_a_file_that_was_cut(tmp_path, name, left):
    found = " is not a sound array of numpy" if name == "t.npy" else " is not sound Parquet ("
    found = {0: " is empty"}.get(left, found)
    np.save(tmp_path / "t.npy", ROWS)
    parquet.write_table(pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]}), tmp_path / "t.parquet")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:left])
    refuses(tmp_path / name, found)


def test_what_a_file_is_shows_in_its_first_bytes(tmp_path):
    np.save(tmp_path / "t.npy", ROWS)
    parquet.write_table(pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]}), tmp_path / "t.parquet")
    np.savetxt(tmp_path / "t.csv", ROWS, "%d", ",")
    for number, name in enumerate(["t.npy", "t.parquet", "t.csv"]):
        path = (tmp_path / name).rename(tmp_path / f"table{number}.pq")
        assert np.array_equal(read(path), ROWS)


def test_no_file_and_other_files(tmp_path):
    refuses(tmp_path / "nothing.csv", " cannot be read (No such file or directory)")
    refuses(tmp_path, " cannot be read (Is a directory)")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"1,2\n"))
    refuses(tmp_path / "t.csv.gz", " is not text in UTF-8")
    with pytest.raises(UserError, match="config key label_map: .* cannot be read"):
        content_hash(str(tmp_path / "nothing.csv"))


def refuses(path, found):
    with pytest.raises(UserError) as caught:
        list(batches(str(path)))
    assert str(caught.value).startswith(f"config key label_map: {path}{found}")
    assert str(caught.value).isprintable()
