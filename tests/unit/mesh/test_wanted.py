"""Which labels are meshed, against numpy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.label_list import LIST_KEYS
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.wanted import Lists, count_voxels, left_out_by, only_wanted

TYPES = [np.uint8, np.uint16, np.uint32, np.uint64]


@st.composite
def cases(draw):
    """Labels z y x, and lists of labels, some of them too large for the type of the labels."""
    dtype = draw(st.sampled_from(TYPES))
    most = int(np.iinfo(dtype).max)
    some = draw(st.lists(st.integers(1, most), min_size=1, max_size=6))
    listed = st.none() | st.sets(st.sampled_from(some) | st.integers(1, 2**64 - 1), min_size=1)
    shape = draw(st.tuples(*[st.integers(1, 9)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    labels = np.array([0, *some], dtype)[rng.integers(0, len(some) + 1, shape)]
    arrays = []
    for _ in LIST_KEYS:
        found = draw(listed)
        arrays.append(None if found is None else np.array(sorted(found), np.uint64))
    return labels, Lists(*arrays)


def wanted(label, lists):
    is_target = lists.targets is None or label in lists.targets.tolist()
    return is_target and (lists.excluded is None or label not in lists.excluded.tolist())


@settings(deadline=None)
@given(cases())
def test_what_is_not_wanted_is_background(case):
    labels, lists = case
    numbers, names = only_wanted(compact_labels(labels), lists)
    found = names[numbers[1:-1, 1:-1, 1:-1]]
    kept = [label for label in np.unique(labels).tolist() if label and wanted(label, lists)]
    np.testing.assert_array_equal(found, np.where(np.isin(labels, kept), labels, 0))
    assert not numbers.sum() - numbers[1:-1, 1:-1, 1:-1].sum()
    assert sorted(names.tolist()) == [0, *kept]


@settings(deadline=None)
@given(cases(), st.data())
def test_voxels_are_counted_whether_wanted_or_not(case, data):
    labels, lists = case
    origin = tuple(data.draw(st.integers(0, n - 1)) for n in labels.shape)
    shape = tuple(
        data.draw(st.integers(1, n - o)) for n, o in zip(labels.shape, origin, strict=True)
    )
    tile = labels[tuple(slice(o, o + n) for o, n in zip(origin, shape, strict=True))]
    ids, numbers = np.unique(tile[tile > 0], return_counts=True)
    counts = count_voxels(compact_labels(labels), origin, shape, lists, (0, 0, 0), shape)
    assert counts["label"].tolist() == ids.tolist()
    assert counts["voxels"].tolist() == numbers.tolist()
    assert [n == 0 for n in counts["left_out"]] == [wanted(i, lists) for i in ids.tolist()]


def test_the_reason_is_the_list_that_names_the_label():
    targets, excluded = np.array([3, 5], np.uint64), np.array([5, 9], np.uint64)
    labels = np.array([1, 3, 5, 9, 2**64 - 1], np.uint64)
    both = left_out_by(labels, Lists(targets, excluded)).tolist()
    assert [("", *LIST_KEYS)[n] for n in both] == [
        "target_ids",
        "",
        "exclude_ids",
        "exclude_ids",
        "target_ids",
    ]
    assert left_out_by(labels, Lists(None, None)).tolist() == [0] * 5
