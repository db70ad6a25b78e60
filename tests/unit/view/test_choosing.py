"""Which segments are selected, and what is a condition."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snakemesh.errors import UserError
from snakemesh.view.segments import from_table


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "segments.parquet"
    columns = {
        "label": pa.array([2**63 + 1, 5, 7, 9], pa.uint64()),
        "name": ["axon", None, "soma", "axon"],
        "volume": [1.0, 4.0, 2.0, 3.0],
        "lods": pa.array([1, 2, 3, 1], pa.uint8()),
    }
    for k, axis in enumerate("xyz"):
        columns[f"{axis}_min"] = [k + 0.0, k + 10.0, k + 20.0, k + 30.0]
        columns[f"{axis}_max"] = [k + 5.0, k + 15.0, k + 25.0, k + 35.0]
    pq.write_table(pa.table(columns), path)
    return path


def test_the_largest_are_chosen_and_their_box(table):
    found = from_table(table, 2)
    assert (found.labels, found.of) == ([5, 9], 4)
    assert (found.lower.tolist(), found.upper.tolist()) == ([10, 11, 12], [35, 36, 37])


@pytest.mark.parametrize(
    ("where", "labels"),
    [
        ("volume > 1.5", [5, 9, 7]),
        ("1 < volume <= 3", [9, 7]),
        ("name == 'axon'", [9, 2**63 + 1]),
        ("not name == 'axon' and lods * 2 - 1 >= 5", [7]),
        ("volume / lods == 3 or volume < -volume + 3", [9, 2**63 + 1]),
        ("label == 9223372036854775809", [2**63 + 1]),
        ("volume > 1e9", []),
    ],
)
def test_conditions(table, where, labels):
    assert from_table(table, 10, where=where).labels == labels


@pytest.mark.parametrize(
    ("where", "says"),
    [
        *((text, "is not a condition") for text in ("", "volume", "volume >", "1", "volume + 1")),
        *(
            (text, "is not a condition")
            for text in ("f(1) > 2", "volume.x > 1", "a[0] > 1", "x = 1")
        ),
        ("__import__('os').system('true') == 0", "is not a condition"),
        ("label == 99999999999999999999", "is not a condition"),
        ("size > 1", "'size' in 'size > 1' is not a column, expected one of label, lods, name"),
        ("volume > 'a'", "cannot be computed"),
        ("(" * 300 + "1" + ")" * 300, "is not a condition"),
    ],
)
def test_what_is_no_condition_is_one_line(table, where, says):
    with pytest.raises(UserError) as error:
        from_table(table, 10, where=where)
    assert says in str(error.value) and len(str(error.value).splitlines()) == 1


def test_labels(table):
    assert from_table(table, 10, ids=[7, 2**63 + 1, 7]).labels == [7, 2**63 + 1]
    with pytest.raises(UserError, match="not in .*: 8, 10$"):
        from_table(table, 10, ids=[10, 7, 8])
