"""Levels of the input are compared with s0 as a loop over their voxels would do it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import levels as makers
from formats import Placed, write_array
from snakemesh.boxes import indices
from snakemesh.job_records import LevelPart, OwnLevel
from snakemesh.plan.jobs import own_box, verify_job
from snakemesh.survey.level_check import level_mismatches
from snakemesh.verify import voxels as module
from snakemesh.verify.failures import Failures
from snakemesh.verify.levels import LevelChecks, check_levels, compare_piece, merged
from snakemesh.verify.voxels import count_box
from surfaces import voronoi
from volumes import plan_of, volume

LARGEST = 2**64 - 1


def foreign_in(labels, level, factor):
    """The voxels of a level whose label is not in their cube."""
    return [
        index
        for index, cube in makers.cubes_of(labels, factor)
        if level[index] not in cube and (level[index] or cube.size == math.prod(factor))
    ]


@given(
    labels=npst.arrays(
        np.uint64,
        npst.array_shapes(min_dims=3, max_dims=3, max_side=7),
        elements=st.sampled_from([0, 0, 1, 2, LARGEST]),
    ),
    factor=st.tuples(*[st.integers(1, 4)] * 3),
    cuts=st.tuples(*[st.sets(st.integers(1, 6))] * 3),
    data=st.data(),
)
def test_pieces_together_find_what_a_loop_finds(labels, factor, cuts, data):
    """Wherever s0 is cut into pieces, and wherever these cut the cubes."""
    shape = makers.first(labels, factor).shape
    level = data.draw(npst.arrays(np.uint64, shape, elements=st.sampled_from([0, 1, 2, LARGEST])))
    sides = [
        sorted({0, n, *(c for c in cut if c < n)})
        for cut, n in zip(cuts, labels.shape, strict=True)
    ]
    own = OwnLevel(2, LevelPart("", None, (0, 0, 0), shape), factor)
    found = []
    for index in np.ndindex(*(len(side) - 1 for side in sides)):
        begin = [side[i] for side, i in zip(sides, index, strict=True)]
        end = [side[i + 1] for side, i in zip(sides, index, strict=True)]
        piece = labels[tuple(map(slice, begin, end))]
        touched = zip(begin, end, factor, strict=True)
        part = level[tuple(slice(b // f, -(-e // f)) for b, e, f in touched)]
        found.append(compare_piece(own, part, piece, begin, labels.shape))
    whole = merged(found)
    lost = whole.partial[~whole.partial["occurs"]]
    expected = foreign_in(labels, level, factor)
    assert whole.sums["voxels"][0] + len(whole.partial) == level.size
    assert whole.sums["foreign"][0] + len(lost) == len(expected)
    named = {tuple(row["at"].tolist()): row["label"] for row in (*whole.foreign, *lost)}
    assert all(level[at] == label for at, label in named.items())
    assert set(named) <= set(expected)
    assert len(named) >= min(len(expected), 10)
    # planning has a kernel of its own
    stores = [(ts.array(level), factor)]
    assert (level_mismatches(ts.array(labels), stores) == [None]) == (expected == [])


LABELS = voronoi((50, 70, 61), 40, 2)
FACTORS = {1: (2, 2, 2), 3: (8, 8, 4), 5: (32, 64, 16)}


@pytest.mark.parametrize("piece", [256, 20])
def test_boxes_of_a_part(tmp_path, monkeypatch, piece):
    """Levels begin where the part begins; large cubes lie in several boxes and pieces."""
    monkeypatch.setattr(module, "PIECE", piece)
    placed = [Placed(LABELS, (8, 8, 8), (0, 0, 0), (16, 16, 16))]
    path = write_array(tmp_path / "s0", placed[0])
    begin, end = (32, 0, 16), LABELS.shape
    part = LABELS[tuple(map(slice, begin, end))]
    own, expected = [], {}
    rng = np.random.default_rng(1)
    for number, factor in FACTORS.items():
        whole = makers.middle(LABELS, factor)
        origin = tuple(b // f for b, f in zip(begin, factor, strict=True))
        # one voxel before the part, and some in it
        whole[0, 0, 0] = 999
        inside = whole[tuple(slice(o, None) for o in origin)]
        for at in rng.integers(0, inside.shape, (3, 3)):
            inside[tuple(at)] = 1000 + number
        expected[number] = {tuple(i) for i in foreign_in(part, inside, factor)}
        level = Placed(whole, (8, 8, 8), (0, 0, 0), (16, 16, 16))
        reads = LevelPart(write_array(tmp_path / f"s{number}", level), None, origin, inside.shape)
        own.append(OwnLevel(number, reads, factor))
    plan = plan_of(volume(shape=part.shape), cell_size=32, num_lods=1)
    plan = replace(plan, block_cells=((1, 1, 1),))
    job = replace(
        verify_job(plan), reads=LevelPart(path, None, begin, part.shape), own_levels=tuple(own)
    )
    paths = []
    for index in indices(plan.blocks(0)):
        levels = LevelChecks(job)
        count_box(job, *own_box(plan, 0, index), levels.add)
        paths.append(tmp_path / f"{len(paths)}.npz")
        levels.save(paths[-1])
    assert len(paths) == 6
    failures = Failures()
    sums = check_levels(list(map(str, paths)), failures)
    assert sums["level"].tolist() == list(FACTORS)
    for level, row in zip(own, sums, strict=True):
        assert row["voxels"] == math.prod(level.reads.shape)
        assert row["foreign"] == len(expected[level.number])
    assert failures.count == {"levels": sum(map(len, expected.values()))}
    for number, voxels in expected.items():
        for at in voxels:
            case = f"level s{number} has label {1000 + number} at voxel {list(at)}, "
            assert any(named.startswith(case) for named in failures.named["levels"])


def test_no_levels(tmp_path):
    levels = LevelChecks(verify_job(plan_of(volume())))
    levels.add(LABELS, (0, 0, 0))
    levels.save(tmp_path / "none.npz")
    failures = Failures()
    assert len(check_levels([str(tmp_path / "none.npz")] * 2, failures)) == 0
    assert failures.count == {}


def test_which_levels_are_compared():
    """Those of the source that are meshed: no level that is built, and none that is not used."""
    levels = volume(factors=((1, 1, 1), (4, 4, 4), (16, 16, 16)))
    plan = plan_of(levels, num_lods=4)
    assert [level.is_built for level in plan.levels] == [False, True, False, True]
    (own,) = verify_job(plan).own_levels
    assert own == OwnLevel(2, LevelPart("/data/seg/s1", None, (0, 0, 0), (25, 25, 25)), (4, 4, 4))
    assert verify_job(plan_of(levels, use_existing_scales=False)).own_levels == ()
