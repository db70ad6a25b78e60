"""Mapped voxels are what a dictionary makes of them, and what was met is what is there."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snakemesh.job_records import LabelMap
from snakemesh.output.markers import write_marker
from snakemesh.tables.mapping import Mapper
from snakemesh.tables.seen import pair_digest, read_record, read_tokens, write_record
from snakemesh.tables.sorted_bodies import PAIR, write_sorted

ROWS = {1: 9, 2: 9, 3: 0, 7: 2**64 - 1, 200: 3, 2**40: 4, 2**64 - 1: 5}
VALUES = [0, 1, 2, 3, 4, 7, 200, 201, 2**40, 2**40 + 1, 2**64 - 1]


@pytest.fixture(scope="module")
def label_map(tmp_path_factory):
    """Makes the record of a job with so many cells."""
    folder = tmp_path_factory.mktemp("table")
    path, marker = str(folder / "t.npy"), str(folder / "t.done")
    rows = np.array(list(ROWS.items()), np.uint64)
    write_marker(marker, write_sorted(path, "t.csv", [rows.view(PAIR)[:, 0]]))

    def make(keep=True, n_cells=1, dtype="uint64"):
        tokens = tuple(range(1, n_cells + 1))
        return LabelMap(path, marker, keep, dtype, str(folder / "0_0_0.x.npz"), None, tokens)

    return make


def body(label, keep):
    return ROWS.get(label, label if keep else 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), keep=st.booleans(), dtype=st.sampled_from(["uint8", "uint32", "uint64"]))
def test_voxels_become_bodies_and_are_recorded_by_cell(label_map, data, keep, dtype):
    values = [value for value in VALUES if value <= np.iinfo(dtype).max]
    shape = st.tuples(*[st.integers(1, 4)] * 3)
    pieces = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 2), arrays.arrays(dtype, shape, elements=st.sampled_from(values))
            ),
            max_size=6,
        )
    )
    mapper = Mapper(label_map(keep, 3))
    met = [set(), set(), set()]
    for cell, labels in pieces:
        found = mapper(labels, cell)
        assert found.dtype == np.uint64 and found.shape == labels.shape
        assert found.ravel().tolist() == [body(v, keep) for v in labels.ravel().tolist()]
        met[cell] |= set(labels.ravel().tolist()) - {0}
    record = mapper.met_labels()
    assert [record.labels[members].tolist() for members in record.members] == list(map(sorted, met))
    assert record.bodies.tolist() == [body(v, keep) for v in record.labels.tolist()]
    write_record(mapper.how.record, record)
    kept = read_record(mapper.how.record)
    assert read_tokens(mapper.how.record, 3).tolist() == [1, 2, 3]
    assert read_tokens(mapper.how.record, 4) is None
    assert np.array_equal(kept.digests_of(record.bodies), kept.digests)
    if len(record.labels):
        other = record.bodies.copy()
        other[0] += np.uint64(1)
        holds = [bool(len(members) and members[0] == 0) for members in record.members]
        assert (kept.digests_of(other) != kept.digests).tolist() == holds


def test_many_labels(label_map):
    """More than the first hash table holds, with a type that is wider than that of the labels."""
    labels = np.random.default_rng(0).integers(0, 2**16, (40, 40, 40)).astype(np.uint16)
    found = Mapper(label_map(dtype="uint32"))(labels[:, ::-1])
    assert found.dtype == np.uint32
    low = {k: v & 0xFFFFFFFF for k, v in ROWS.items()}
    assert found.ravel().tolist() == [low.get(v, v) for v in labels[:, ::-1].ravel().tolist()]


def test_a_record_that_is_damaged_or_replaced(label_map, tmp_path):
    mapper = Mapper(label_map())
    mapper(np.array([[[1, 2]]], np.uint8))
    path = tmp_path / "met" / "0_0_0.aaaa.npz"
    write_record(str(path), mapper.met_labels())
    whole = path.read_bytes()
    for data in (b"", whole[:100], whole[: len(whole) // 2], b"x" * len(whole)):
        path.write_bytes(data)
        assert read_record(str(path)) is None and read_tokens(str(path), 1) is None
    assert read_record(str(tmp_path / "none.npz")) is None
    write_record(str(path.with_name("0_0_1.cccc.npz")), mapper.met_labels())
    write_record(str(path.with_name("0_0_0.bbbb.npz")), mapper.met_labels())
    assert sorted(p.name for p in path.parent.iterdir()) == ["0_0_0.bbbb.npz", "0_0_1.cccc.npz"]


def test_labels_and_bodies_are_not_mixed_up():
    """Two labels that exchange their bodies have another digest."""
    labels, members = np.array([1, 2], np.uint64), np.array([0, 1])
    digests = {pair_digest(labels, np.array(b, np.uint64), members) for b in ([3, 4], [4, 3])}
    assert len(digests) == 2
