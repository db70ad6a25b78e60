"""Voxels are counted as a loop over them would, and samples are what they should be."""

from dataclasses import replace

import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from formats import Placed, write_array
from snakemesh.job_records import LevelPart
from snakemesh.plan.jobs import verify_job
from snakemesh.verify import voxels as module
from snakemesh.verify.voxels import count_box, count_piece, counts_of_shard, summed
from volumes import plan_of, volume

SPEC = {"hash": "murmurhash3_x86_128", "preshift_bits": 0, "minishard_bits": 1, "shard_bits": 2}
LARGEST = 2**64 - 1


def counted(labels, corner=(0, 0, 0), shape=None):
    """By label, voxel by voxel: voxels, sums of centres x y z, second moments, and at the border.

    shape: of the volume, which ends with `labels` if there is none.
    """
    found = {}
    for index in np.ndindex(*labels.shape):
        label = int(labels[index])
        if label:
            n, centre, second, border = found.get(label, (0, np.zeros(3), np.zeros((3, 3)), 0))
            place = np.add(index, corner)
            middle = place[::-1] + 0.5
            second = second + np.outer(middle, middle) + np.eye(3) / 12
            is_at_end = place == np.array(labels.shape if shape is None else shape) - 1
            border += bool(((place == 0) | is_at_end).any())
            found[label] = n + 1, centre + middle, second, border
    return found


def assert_same(counts, expected):
    assert counts["label"].tolist() == sorted(expected)
    for row in counts:
        voxels, centre, second, border = expected[int(row["label"])]
        assert (row["voxels"], row["border"]) == (voxels, border)
        assert row["centre"].tolist() == centre.tolist()
        pairs = (0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2)
        np.testing.assert_allclose(row["second"], second[pairs], rtol=1e-12)


@given(
    labels=npst.arrays(
        np.uint64,
        npst.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.sampled_from([0, 0, 1, 2, LARGEST]),
    ),
    corner=st.tuples(*[st.integers(0, 2) | st.integers(0, 1000)] * 3),
    more=st.tuples(*[st.integers(0, 2)] * 3),
)
def test_a_piece(labels, corner, more):
    shape = tuple(np.add(np.add(labels.shape, corner), more).tolist())
    assert_same(count_piece(labels, corner, shape), counted(labels, corner, shape))


def test_boxes_together_are_the_part_that_is_meshed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 4)
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 3, 7, 2**40, LARGEST], np.uint64), (13, 12, 11))
    path = write_array(tmp_path / "s0", Placed(labels, (8, 8, 8), (0, 0, 0), (5, 5, 5)))
    part = LevelPart(path, None, (2, 0, 1), (10, 12, 9))
    job = replace(verify_job(plan_of(volume())), reads=part, sharding=SPEC)
    files = []
    for number, (begin, end) in enumerate([((0, 0, 0), (6, 12, 9)), ((6, 0, 0), (10, 12, 9))]):
        files.append(str(tmp_path / f"{number}.npy"))
        np.save(files[-1], count_box(job, begin, end))
    by_shard = [counts_of_shard(files, shard) for shard in range(4)]
    assert_same(summed(np.concatenate(by_shard)), counted(labels[2:12, :, 1:10]))
    for shard, counts in enumerate(by_shard):
        for label in counts["label"].tolist():
            key = label.to_bytes(8, "little")
            assert mmh3.hash64(key, x64arch=False, signed=False)[0] >> 1 & 3 == shard


@pytest.mark.parametrize("keep_rest", [True, False])
def test_labels_become_bodies(tmp_path, keep_rest):
    """A label that is not in the table joins the body of its number, or is background."""
    labels = np.arange(1, 9, dtype=np.uint64).repeat(3).reshape(2, 3, 4)
    path = write_array(tmp_path / "s0", Placed(labels, (8, 8, 8), (0, 0, 0), (5, 5, 5)))
    table = {1: 7, 2: 0, 3: 2**40, 8: LARGEST, 99: 5}
    np.save(tmp_path / "table.npy", np.array(list(table.items()), np.uint64))
    job = verify_job(plan_of(volume()), label_map=str(tmp_path / "table.npy"))
    part = LevelPart(path, None, (0, 0, 0), labels.shape)
    job = replace(job, reads=part, sharding=SPEC, keep_rest=keep_rest)
    bodies = np.array(
        [table.get(n, n if keep_rest else 0) for n in labels.ravel().tolist()], object
    )
    found = summed(count_box(job, (0, 0, 0), labels.shape))
    assert_same(found, counted(bodies.reshape(labels.shape)))
