"""Which segments are selected, and what is a condition."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snakemesh.errors import UserError
from snakemesh.tables.measures import SUMMARY
from snakemesh.view.segments import Selection, from_summaries, from_table


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "segments.parquet"
    columns = {
        "label": pa.array([2**63 + 1, 5, 7, 9], pa.uint64()),
        "name": ["axon", None, "soma", "axon"],
        "volume": [1.0, 4.0, 2.0, 3.0],
        "area": [6.0, 16.0, 10.0, 13.0],
        "lods": pa.array([1, 2, 3, 1], pa.uint8()),
    }
    for k, axis in enumerate("xyz"):
        columns[f"{axis}_min"] = [k + 0.0, k + 10.0, k + 20.0, k + 30.0]
        columns[f"{axis}_max"] = [k + 5.0, k + 15.0, k + 25.0, k + 35.0]
    pq.write_table(pa.table(columns), path)
    return path


def test_the_largest_are_chosen_and_their_boxes(table):
    found = from_table(table, Selection(every=True, most=2))
    assert (found.labels, found.of) == ([5, 9], 4)
    assert found.boxes_nm.tolist() == [[[k, k + 1, k + 2], [k + 5, k + 6, k + 7]] for k in (10, 30)]


@pytest.mark.parametrize(
    ("where", "labels"),
    [
        ("volume > 1.5", [5, 9, 7]),
        ("1 < volume <= 3", [9, 7]),
        ("name == 'axon'", [9, 2**63 + 1]),
        ("not name == 'axon' and lods * 2 - 1 >= 5", [7]),
        ("volume / lods == 3 or volume < -volume + 3", [9, 2**63 + 1]),
        ("label == 9223372036854775809", [2**63 + 1]),
        ("label == 5 or 6 < label < 8", [5, 7]),
        ("volume > -1 and lods == 3", [7]),
        ("volume > 1e9", []),
    ],
)
def test_conditions(table, where, labels):
    assert from_table(table, Selection(where=where)).labels == labels


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
        ("size > 1", "'size' in 'size > 1' is not a column, expected one of area, label, lods"),
        ("volume > 'a'", "cannot be computed"),
        ("(" * 300 + "1" + ")" * 300, "is not a condition"),
    ],
)
def test_what_is_no_condition_is_one_line(table, where, says):
    with pytest.raises(UserError) as error:
        from_table(table, Selection(where=where))
    assert says in str(error.value) and len(str(error.value).splitlines()) == 1


def test_labels_and_names(table):
    assert from_table(table, Selection([7, 2**63 + 1, 7])).labels == [7, 2**63 + 1]
    assert from_table(table, Selection(["axon", 7])).labels == [9, 7, 2**63 + 1]
    with pytest.raises(UserError, match="these labels are not in .*: 8, 10$"):
        from_table(table, Selection([10, 7, 8, "axon"]))
    with pytest.raises(UserError, match="these names are not in .*: Axon$"):
        from_table(table, Selection([7, "axon", "Axon"]))


def test_labels_while_a_run_is_going_on():
    """Those that are not there yet are selected, too. Names and conditions need the table."""
    rows = np.zeros(1, SUMMARY)
    rows["label"], rows["upper"] = 7, 2
    found = from_summaries([rows], Selection([7, 5]))
    assert (found.labels, found.of, len(found.boxes_nm)) == ([5, 7], 2, 1)
    for asked, what in (
        (Selection(["axon", 7]), "the name 'axon'"),
        (Selection(where="lods > 1"), "--where"),
    ):
        with pytest.raises(UserError, match=f"{what} needs segments.parquet, which a run writes"):
            from_summaries([rows], asked)
