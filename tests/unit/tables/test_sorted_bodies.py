"""The sorted table gives every label the body that a dictionary of the rows gives it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from damaging import flip
from snakemesh.errors import DamagedError, UserError
from snakemesh.output.markers import write_marker
from snakemesh.tables import sorted_bodies as module
from snakemesh.tables.sorted_bodies import index_path, open_sorted, write_sorted

LABELS = st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1), st.just(2**64 - 1))


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch):
    """Several blocks, samples, runs and look-ups, of few rows."""
    for name, size in {
        "BLOCK_ROWS": 3,
        "LABELS_AT_ONCE": 4,
        "RUN_ROWS": 7,
    }.items():
        monkeypatch.setattr(module, name, size)


def made(folder, rows, batch=5):
    """Write and open the sorted table of rows that come in batches."""
    rows = np.array(rows, np.uint64).reshape(-1, 2)
    parts = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    path, marker = str(folder / "sorted.npy"), str(folder / "sorted.done")
    facts = write_sorted(path, "table.csv", (part.view(module.PAIR)[:, 0] for part in parts))
    write_marker(marker, facts)
    return open_sorted(path, marker)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.dictionaries(LABELS, LABELS, min_size=1, max_size=60),
    again=st.lists(st.integers(0, 59), max_size=20),
    asked=st.lists(LABELS, max_size=20),
    keep=st.booleans(),
    batch=st.integers(1, 30),
)
def test_every_label_gets_its_body(tmp_path, rows, again, asked, keep, batch):
    pairs = list(rows.items())
    table = made(tmp_path, pairs + [pairs[i % len(pairs)] for i in again], batch)
    labels = np.array([*asked, *rows], np.uint64)
    expected = [rows.get(label, label if keep else 0) for label in labels.tolist()]
    assert table.bodies_of(labels, keep).tolist() == expected
    on_disk = np.load(table.path)
    assert on_disk.tolist() == sorted(map(list, pairs))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("sorted.done", "sorted.index.npy", "sorted.npy")
    ]


@pytest.mark.parametrize("distance", [1, 6, 30])
def test_a_label_with_two_bodies(tmp_path, distance):
    rows = [(label, label) for label in range(100, 150)]
    rows.insert(10 + distance, (110, 9))
    with pytest.raises(UserError) as caught:
        made(tmp_path, rows)
    assert str(caught.value) == (
        "config key label_map: table.csv gives label 110 to two bodies, 9 and 110"
    )
    assert list(tmp_path.iterdir()) == []


def test_damage_is_found(tmp_path):
    rows = [(label, label + 1) for label in range(20)]
    for path, at, found in (("sorted.npy", -1, "look"), ("sorted.index.npy", 3, "open")):
        table = made(tmp_path, rows)
        flip(tmp_path / path, at)
        with pytest.raises(DamagedError):
            again = open_sorted(str(table.path), str(tmp_path / "sorted.done"))
            assert found == "look"
            # a block that is sound is still good
            assert again.bodies_of(np.array([0], np.uint64), True) == [1]
            again.bodies_of(np.array([19], np.uint64), True)
    made(tmp_path, rows).path.write_bytes(b"short")
    with pytest.raises(DamagedError):
        open_sorted(str(tmp_path / "sorted.npy"), str(tmp_path / "sorted.done"))
    index_path(tmp_path / "sorted.npy").unlink()
    with pytest.raises(DamagedError):
        open_sorted(str(tmp_path / "sorted.npy"), str(tmp_path / "sorted.done"))
