"""Pieces of voxels are those of the volume as a whole, whatever boxes it is read in."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from formats import Placed, write_array
from snakemesh.job_records import LevelPart
from snakemesh.plan.jobs import verify_job
from snakemesh.verify import voxels as module
from snakemesh.verify.components import components
from snakemesh.verify.voxel_pieces import (
    VoxelPieces,
    load_part,
    merged,
    part_of,
    pieces_of_volume,
    save_part,
)
from snakemesh.verify.voxels import count_box
from volumes import plan_of, volume

LARGEST = 2**64 - 1


def parts_of(labels, size):
    """The parts of a volume in boxes of `size`, z slowest."""
    found = []
    for index in product(*(range(-(-n // s)) for n, s in zip(labels.shape, size, strict=True))):
        begin = [i * s for i, s in zip(index, size, strict=True)]
        end = [min(b + s, n) for b, s, n in zip(begin, size, labels.shape, strict=True)]
        seen = labels[tuple(slice(b, e + 1) for b, e in zip(begin, end, strict=True))]
        found.append(part_of(seen, begin, end, labels.shape))
    return found


def in_files(folder, parts):
    paths = [str(folder / f"{number}.npz") for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        save_part(Path(path), part)
    return paths


def as_a_whole(labels):
    _, owners = components(labels, 2)
    names, counts = np.unique(owners[1:], return_counts=True)
    return list(zip(names.tolist(), counts.tolist(), strict=True))


@settings(deadline=None)  # the first one compiles
@given(
    labels=npst.arrays(
        np.uint64,
        npst.array_shapes(min_dims=3, max_dims=3, max_side=7),
        elements=st.sampled_from([0, 0, 1, 2, 2**64 - 1]),
    ),
    size=st.tuples(*[st.integers(1, 7)] * 3),
)
def test_any_boxes_give_the_pieces_of_the_whole(tmp_path_factory, labels, size):
    paths = in_files(tmp_path_factory.mktemp("parts"), parts_of(labels, size))
    assert pieces_of_volume(paths).tolist() == as_a_whole(labels)


@settings(deadline=None)
@given(
    labels=npst.arrays(np.uint64, (4, 5, 6), elements=st.sampled_from([0, 1, 2])),
    order=st.permutations(range(8)),
)
def test_parts_may_be_merged_in_any_order(labels, order):
    parts = parts_of(labels, (2, 3, 3))
    assert merged([parts[k] for k in order]).closed.tolist() == as_a_whole(labels)


def test_a_diagonal_through_the_edge_between_four_boxes():
    labels = np.zeros((4, 4, 4), np.uint64)
    labels[0, 1, 2] = labels[0, 2, 1] = 5
    assert merged(parts_of(labels, (2, 2, 2))).closed.tolist() == [(5, 1)]
    labels[0, 1, 2], labels[3, 3, 3] = 0, 5
    assert merged(parts_of(labels, (2, 2, 2))).closed.tolist() == [(5, 2)]


def test_a_spiral_through_all_boxes_is_one_piece():
    labels = np.zeros((9, 9, 9), np.uint64)
    labels[::2], labels[1::4, :, 0], labels[3::4, :, 8] = 1, 1, 1
    assert merged(parts_of(labels, (2, 2, 2))).closed.tolist() == [(1, 1)]


def test_a_part_keeps_only_what_reaches_its_sides():
    labels = np.zeros((8, 8, 8), np.uint64)
    labels[1, 1, 1] = labels[1, 1, 3] = 7  # the second one reaches the side at x = 4
    part = parts_of(labels, (4, 4, 4))[0]
    assert part.closed.tolist() == [(7, 2)]
    labels[1, 1, 4] = 7
    part = parts_of(labels, (4, 4, 4))[0]
    assert (part.closed.tolist(), part.open.tolist()) == ([(7, 1)], [7])


def test_boxes_that_are_missing_or_that_disagree_are_found(tmp_path):
    labels = np.ones((4, 4, 4), np.uint64)
    parts = parts_of(labels, (2, 2, 2))
    with pytest.raises(ValueError, match="missing"):
        pieces_of_volume(in_files(tmp_path, parts[:4]))
    with pytest.raises(ValueError, match="disagree about their sides"):
        merged([replace(parts[0], links=parts[0].links[:1]), *parts[1:]])
    with pytest.raises(ValueError, match="disagree about labels"):
        merged([replace(parts[0], open=parts[0].open + np.uint64(1)), *parts[1:]])


def test_a_part_in_a_file(tmp_path):
    (path,) = in_files(tmp_path, parts_of(np.ones((2, 2, 2), np.uint64), (2, 2, 2)))
    found = load_part(path)
    assert (found.begin, found.end, found.closed.tolist()) == ((0, 0, 0), (2, 2, 2), [(1, 1)])


@pytest.mark.parametrize("case", ["labels", "table", "one body", "roi"])
def test_jobs_find_the_pieces_of_what_is_meshed(tmp_path, monkeypatch, case):
    """Boxes are read in several pieces each; the counts are those of the boxes alone."""
    monkeypatch.setattr(module, "PIECE", 3)
    rng = np.random.default_rng(1)
    labels = rng.choice(np.array([0, 0, 0, 3, 7, LARGEST], np.uint64), (13, 12, 11))
    path = write_array(tmp_path / "s0", Placed(labels, (8, 8, 8), (0, 0, 0), (5, 5, 5)))
    origin, shape = ((2, 0, 1), (10, 12, 9)) if case == "roi" else ((0, 0, 0), labels.shape)
    part = LevelPart(path, None, origin, shape)
    seen = labels[tuple(slice(o, o + n) for o, n in zip(origin, shape, strict=True))]
    job = replace(verify_job(plan_of(volume())), reads=part)
    if case == "one body":
        job = replace(job, reads=replace(part, values=replace(part.values, is_one_body=True)))
        seen = (seen != 0).astype(np.uint64)
    if case == "table":
        np.save(tmp_path / "table.npy", np.array([(3, 0), (7, LARGEST)], np.uint64))
        job = replace(job, label_map=str(tmp_path / "table.npy"))
        seen = np.where(seen == 3, 0, np.where(seen == 7, LARGEST, seen))
    paths, counts = [], []
    for number, z in enumerate(range(0, shape[0], 5)):
        begin, end = (z, 0, 0), (min(z + 5, shape[0]), *shape[1:])
        pieces = VoxelPieces(job)
        counts.append(count_box(job, begin, end, None, pieces.add))
        paths.append(tmp_path / f"{number}.npz")
        pieces.save(paths[-1])
        np.testing.assert_array_equal(counts[-1], count_box(job, begin, end))
    assert pieces_of_volume(list(map(str, paths))).tolist() == as_a_whole(seen)
