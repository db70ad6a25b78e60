"""Mapped voxels are what a dictionary makes of them, and what was seen is what is there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snakemesh.job_records import LabelMap
from snakemesh.output.markers import write_marker
from snakemesh.tables.mapping import Mapper
from snakemesh.tables.seen import Seen, read_record, record_path, tokens_in, write_record
from snakemesh.tables.sorted_bodies import PAIR, write_sorted

ROWS = {1: 9, 2: 9, 3: 0, 7: 2**64 - 1, 200: 3, 2**40: 4, 2**64 - 1: 5}
VALUES = [0, 1, 2, 3, 4, 7, 200, 201, 2**40, 2**40 + 1, 2**64 - 1]


@pytest.fixture(scope="module")
def label_map(tmp_path_factory):
    """Makes the record of a job."""
    folder = tmp_path_factory.mktemp("table")
    path, marker = str(folder / "t.npy"), str(folder / "t.done")
    rows = np.array(list(ROWS.items()), np.uint64)
    write_marker(marker, write_sorted(path, "t.csv", [rows.view(PAIR)[:, 0]]))

    def make(keep=True, dtype="uint64"):
        return LabelMap(path, marker, keep, dtype, str(folder / "seen" / "0_0_0.x"), 2**63 + 5)

    return make


def body(label, keep):
    return ROWS.get(label, label if keep else 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), keep=st.booleans(), dtype=st.sampled_from(["uint8", "uint32", "uint64"]))
def test_voxels_become_bodies_and_are_recorded(label_map, data, keep, dtype):
    values = [value for value in VALUES if value <= np.iinfo(dtype).max]
    shape = st.tuples(*[st.integers(1, 4)] * 3)
    piece = arrays.arrays(dtype, shape, elements=st.sampled_from(values))
    mapper = Mapper(label_map(keep))
    seen = set()
    for labels in data.draw(st.lists(piece, max_size=6)):
        found = mapper(labels)
        assert found.dtype == np.uint64 and found.shape == labels.shape
        assert found.ravel().tolist() == [body(v, keep) for v in labels.ravel().tolist()]
        seen |= set(labels.ravel().tolist()) - {0}
    mapper.record()
    record = read_record(mapper.how.record, mapper.how.token)
    assert record.labels.tolist() == sorted(seen)
    assert record.bodies.tolist() == [body(v, keep) for v in sorted(seen)]


def test_many_labels(label_map):
    """More than the first hash table holds, with a type that is wider than that of the labels."""
    labels = np.random.default_rng(0).integers(0, 2**16, (40, 40, 40)).astype(np.uint16)
    found = Mapper(label_map(dtype="uint32"))(labels[:, ::-1])
    assert found.dtype == np.uint32
    low = {k: v & 0xFFFFFFFF for k, v in ROWS.items()}
    assert found.ravel().tolist() == [low.get(v, v) for v in labels[:, ::-1].ravel().tolist()]


def test_a_record_that_is_damaged_or_replaced(tmp_path):
    seen = Seen(np.arange(300, dtype=np.uint64) ** 3, np.arange(300, dtype=np.uint64))
    place = str(tmp_path / "seen" / "0_0_0.aaaa")
    write_record(place, 7, seen)
    assert tokens_in(tmp_path / "seen") == {"0_0_0.aaaa": [7]}
    path = Path(record_path(place, 7))
    whole = path.read_bytes()
    garbled = bytearray(whole)
    garbled[len(whole) // 2] ^= 1
    for data in (b"", whole[:100], whole[: len(whole) // 2], b"x" * len(whole), garbled):
        path.write_bytes(data)
        assert read_record(place, 7) is None
    assert read_record(place, 8) is None
    write_record(str(path.with_name("0_0_1.cccc")), 7, seen)
    write_record(str(path.with_name("0_0_0.bbbb")), 2**64 - 1, seen)
    assert tokens_in(tmp_path / "seen") == {"0_0_0.bbbb": [2**64 - 1], "0_0_1.cccc": [7]}
    assert tokens_in(tmp_path / "nowhere") == {}
