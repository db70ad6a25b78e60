"""Counts of voxels, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.errors import DamagedError
from snakemesh.fragments.contact import CONTACT
from snakemesh.fragments.container import (
    COUNT,
    FRAGMENT,
    NO_COUNTS,
    write_container,
)
from snakemesh.fragments.container_table import Origin
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import Sharding
from snakemesh.multires.counts import (
    MAX_NAMED,
    counts_and_contacts,
    left_out,
    merged,
    not_found,
    totals,
    totals_of,
)

SHARDING = Sharding(2, 3)
NOTHING = np.zeros(0, FRAGMENT), []
labels = st.integers(0, 2**64 - 1) | st.integers(0, 5)
rows = st.lists(st.tuples(labels, st.integers(1, 2**40)), max_size=12)


def counts_of(pairs, left_out=0):
    rows = [(label, (0, 0, 0), n, left_out, (0.5, n, n), (0,) * 6, 0) for label, n in pairs]
    return np.array(rows, COUNT)


def sums(pairs):
    found = {}
    for label, n in pairs:
        found[label] = found.get(label, 0) + n
    return found


def write(path, counts):
    write_container(path, 0, *NOTHING, SHARDING, Origin(bytes(16), bytes(16)), counts)
    return str(path)


@settings(deadline=None)
@given(st.lists(rows, max_size=4))
def test_counts_add_up_over_blocks(tmp_path_factory, blocks):
    folder = tmp_path_factory.mktemp("blocks")
    blocks = [list(sums(block).items()) for block in blocks]
    paths = [write(folder / str(i), counts_of(block)) for i, block in enumerate(blocks)]
    found = {}
    for shard in range(SHARDING.num_shards):
        counts = counts_and_contacts(paths, shard)[0]
        assert counts["label"].tolist() == sorted(counts["label"].tolist())
        assert (shard_of(counts["label"], SHARDING) == shard).all()
        found |= zip(counts["label"].tolist(), counts["voxels"].tolist(), strict=True)
    assert found == sums(pair for block in blocks for pair in block)


@given(rows, st.lists(labels, max_size=5))
def test_voxels_of_labels(pairs, others):
    expected = sums(pairs)
    asked = np.array([*expected, *others], np.uint64)
    found = totals_of(asked, merged(counts_of(pairs)))
    assert found["voxels"].tolist() == [expected.get(label, 0) for label in asked.tolist()]


def test_why_labels_are_left_out():
    rows = [(1, 9, 0), (2, 10, 0), (3, 1, 1), (4, 99, 1), (5, 99, 2), (6, 9, 0)]
    nothing = (0, 0, 0), (0,) * 6, 0
    counts = np.array([(row[0], (0, 0, 0), *row[1:], *nothing) for row in rows], COUNT)
    assert left_out(counts, 10) == {"target_ids": 2, "exclude_ids": 1, "min_voxels": 2}
    assert left_out(counts, 0) == {"target_ids": 2, "exclude_ids": 1, "min_voxels": 0}


def test_labels_that_are_nowhere():
    targets = np.arange(1, 1001, dtype=np.uint64)
    there = counts_of((label, 1) for label in range(100, 2000))
    markers = []
    for shard in range(SHARDING.num_shards):
        ours = there[shard_of(there["label"], SHARDING) == shard]
        found = not_found(ours, targets, shard, SHARDING)
        markers.append({"left_out": {"min_voxels": shard}, "not_found": found})
    out, missing = totals([*markers, {}])
    assert out == {"min_voxels": sum(range(SHARDING.num_shards))}
    assert missing == {"labels": 99, "smallest": [str(n) for n in range(1, MAX_NAMED + 1)]}


def test_whichever_byte_of_the_counts_is_damaged_is_found(tmp_path):
    path = tmp_path / "a"
    write(path, counts_of((label, 7) for label in range(1, 30)))
    whole = path.read_bytes()
    begin = len(whole) - 29 * COUNT.itemsize
    for at in range(begin, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedError, match=f"{path} has damaged counts of shard"):
            for shard in range(SHARDING.num_shards):
                counts_and_contacts([str(path)], shard)
    path.unlink()
    with pytest.raises(DamagedError, match="is gone"):
        counts_and_contacts([str(path)], 0)


def test_whichever_byte_of_the_contacts_is_damaged_is_found(tmp_path):
    path, contacts = tmp_path / "a", np.zeros(9, CONTACT)
    contacts["label"] = np.arange(9)
    rows = NO_COUNTS, contacts
    write_container(path, 0, *NOTHING, SHARDING, Origin(bytes(16), bytes(16)), *rows)
    found = [counts_and_contacts([str(path)], n)[1][0] for n in range(SHARDING.num_shards)]
    assert np.array_equal(np.sort(np.concatenate(found), order="label"), contacts)
    whole = path.read_bytes()
    for at in range(len(whole) - contacts.nbytes, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedError, match=f"{path} has damaged contacts of shard"):
            for shard in range(SHARDING.num_shards):
                counts_and_contacts([str(path)], shard)
