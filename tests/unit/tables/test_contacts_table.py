"""The table of contacts lists what shards found, in order, and counts neighbours."""

from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.tables import contacts
from snakemesh.tables.contacts import COLUMNS, Neighbours, write_contacts
from snakemesh.tables.measures import SUMMARY, TOUCHING
from snakemesh.tables.merge import MIN_ROWS, Run, merged


def pairs_of(pairs):
    """TOUCHING of two labels each, with numbers that tell them apart."""
    rows = np.zeros(len(pairs), TOUCHING)
    for i, (label, other) in enumerate(pairs):
        rows[i] = (label, other, label + other / 7, i + 1, 2, (label, other, 0.5))
    return rows


def saved(folder, rows, shards):
    """These rows, spread over so many files by their first label."""
    runs = []
    for shard in range(shards):
        path = folder / str(shard)
        own = rows[rows["label"] % shards == shard]
        own.tofile(path)
        runs.append(Run(path, 0, len(own), TOUCHING))
    return runs


@settings(deadline=None)
@given(
    found=st.sets(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=400),
    meshed=st.sets(st.integers(1, 40)),
    shards=st.integers(1, 5),
    group=st.sampled_from([3, 1 << 17]),
)
def test_rows_and_neighbours(tmp_path_factory, found, meshed, shards, group):
    folder = tmp_path_factory.mktemp("table")
    found = sorted((a, b) for a, b in found if a < b or b == 0)
    runs = saved(folder, pairs_of(found), shards)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(contacts, "ROWS_OF_A_GROUP", group)
        ours = write_contacts(folder / "table", runs, np.array(sorted(meshed), np.uint64))
    kept = [(a, b) for a, b in found if a in meshed and (b in meshed or b == 0)]
    table = pq.read_table(folder / "table")
    assert table.column_names == list(COLUMNS)
    rows = [(row["label_1"], row["label_2"]) for row in table.to_pylist()]
    assert rows == kept
    for row in table.to_pylist():
        assert row["area"] == row["label_1"] + row["label_2"] / 7
        assert (row["x"], row["y"], row["z"]) == (row["label_1"], row["label_2"], 0.5)
    touching = Counter(label for a, b in kept if b for label in (a, b))
    assert ours.counts.tolist() == [touching[label] for label in sorted(meshed)]


def test_a_label_with_more_pairs_than_a_block(tmp_path):
    """Rows come out in order where those of a label are in several blocks of a run."""
    rows = pairs_of([(5, n) for n in range(6, 3 * MIN_ROWS)] + [(8, 9)])
    runs = [*saved(tmp_path, rows, 1), *saved(tmp_path, pairs_of([(6, 7), (7, 8)]), 1)]
    (tmp_path / "0").rename(tmp_path / "other")
    rows.tofile(tmp_path / "0")
    runs[1] = Run(tmp_path / "other", 0, 2, TOUCHING)
    batches = list(merged(runs, rows_at_once=1, repeats=True))
    assert max(map(len, batches)) <= 2 * MIN_ROWS
    out = np.concatenate(batches)
    assert np.all(np.diff(out["label"].astype(int)) >= 0)
    ours = out[out["label"] == 5]["other"]
    assert np.array_equal(ours, np.arange(6, 3 * MIN_ROWS))
    with pytest.raises(ValueError, match="do not ascend"):
        list(merged(runs, rows_at_once=1))


def test_numbers_go_to_the_rows_of_segments():
    found = Neighbours(np.array([3, 5, 9], np.uint64))
    found.kept(pairs_of([(3, 5), (3, 9), (9, 0), (9, 11)]))
    rows = np.zeros(2, SUMMARY)
    rows["label"], rows["volume"] = (3, 9), (1.5, 2.5)
    more = found.added_to(rows)
    assert more["neighbours"].tolist() == [2, 1]
    assert more["volume"].tolist() == [1.5, 2.5]
