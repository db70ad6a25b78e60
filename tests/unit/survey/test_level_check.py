"""Levels that others made are taken if each voxel has a label of its cube, and found if not."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import worldarray as wa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import levels as makers
from formats import Placed, write_array, write_n5, write_precomputed
from snakemesh.errors import UserError
from snakemesh.label_values import LabelValues
from snakemesh.survey import level_check, level_cubes, level_sample
from snakemesh.survey.level_check import level_mismatches
from surfaces import voronoi

# Odd on every axis, with bodies and background.
LABELS = voronoi((37, 30, 43), 60, 2)
FACTORS = [(2, 2, 2), (1, 4, 4), (4, 4, 4)]


def mismatch(labels, level, factor):
    return level_mismatches(ts.array(labels), [(ts.array(np.ascontiguousarray(level)), factor)])[0]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("maker", makers.GOOD, ids=lambda maker: maker.__name__)
def test_good_levels_are_taken(maker, factor):
    assert mismatch(LABELS, maker(LABELS, factor), factor) is None


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("maker", makers.WRONG, ids=lambda maker: maker.__name__)
def test_wrong_levels_are_found(maker, factor):
    assert mismatch(LABELS, maker(LABELS, factor), factor) is not None


@pytest.mark.parametrize("maker", makers.GOOD, ids=lambda maker: maker.__name__)
def test_boxes_that_are_alike_on_all_sides(maker):
    """Where bodies lie alike, the voxel at one place may be the smallest or the largest of all."""
    z, y, x = np.indices((28, 28, 28))
    for labels in ((x // 5 + 1), (z // 3 + 7 * (y // 3)) * (x % 2), 9 - x // 5, x % 4 // 3):
        labels = labels.astype(np.uint32)
        for factor in ((2, 2, 2), (4, 4, 4)):
            assert mismatch(labels, maker(labels, factor), factor) is None


@pytest.mark.parametrize("dtypes", [("uint8", "uint64"), ("int64", "uint64"), ("int32", "int32")])
def test_types_may_differ(dtypes):
    base, level = (LABELS.astype(dtype) for dtype in dtypes)
    assert mismatch(base, makers.mode(level, (2, 2, 2)), (2, 2, 2)) is None
    wrong = makers.mode(level, (2, 2, 2))
    wrong[3, 4, 5] = 99
    assert "99 at voxel [3, 4, 5]" in mismatch(base, wrong, (2, 2, 2))


def test_what_is_said():
    labels = np.zeros((8, 8, 8), np.uint64)
    labels[:, :, 4:] = 33
    good = makers.mode(labels, (2, 2, 2))
    wrong = good.copy()
    wrong[1, 2, 0] = 57
    found = mismatch(labels, wrong, (2, 2, 2))
    assert found == "it has label 57 at voxel [1, 2, 0], where s0 has only 0"
    wrong = good.copy()
    wrong[3, 0, 2] = 0
    found = mismatch(labels, wrong, (2, 2, 2))
    assert found == "it has background at voxel [3, 0, 2], where s0 has only 33"
    labels = np.arange(64, dtype=np.uint64).reshape(4, 4, 4)
    level = makers.mode(labels, (2, 2, 2))
    level[1, 0, 1] = 2**40
    found = mismatch(labels, level, (2, 2, 2))
    said = "where s0 has only 34, 35, 38 and 5 more"
    assert found == f"it has label {2**40} at voxel [1, 0, 1], {said}"


def test_each_level_is_judged_by_itself():
    factors = [(2, 2, 2), (4, 4, 4), (8, 8, 8)]
    pyramid = [makers.mode(LABELS, f) for f in factors]
    pyramid[1] = makers.averaged(LABELS, factors[1])
    stores = list(zip(map(ts.array, pyramid), factors, strict=True))
    found = level_mismatches(ts.array(LABELS), stores)
    assert [reason is None for reason in found] == [True, False, True]


def test_other_values_may_be_background():
    """What is read is turned into labels first; a level may say 0 where s0 says -1."""
    labels = np.where(LABELS, LABELS.astype(np.int64), -1)
    values = LabelValues((-1, 0))
    for level in (makers.mode(labels, (2, 2, 2)), makers.mode(LABELS, (2, 2, 2))):
        stores = [(ts.array(level), (2, 2, 2))]
        assert level_mismatches(ts.array(labels), stores, values) == [None]
    with pytest.raises(UserError, match="config key background: found label -1"):
        level_mismatches(ts.array(labels), stores)


small_labels = npst.arrays(
    np.uint32,
    npst.array_shapes(min_dims=3, max_dims=3, max_side=6),
    elements=st.sampled_from([0, 0, 1, 2, 3, 2**32 - 1]),
)
factors = st.sampled_from([(2, 2, 2), (1, 2, 2), (4, 4, 4), (3, 2, 1), (2, 1, 8)])


@given(labels=small_labels, factor=factors, data=st.data())
def test_any_voxel_of_each_cube_is_taken(labels, factor, data):
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    level = makers.of_each_cube(labels, factor, lambda cube: rng.choice(cube.ravel()))
    assert mismatch(labels, level, factor) is None


@given(labels=small_labels, factor=factors, data=st.data())
def test_any_voxel_of_a_foreign_label_is_found(labels, factor, data):
    level = makers.anyone(labels, factor)
    at = tuple(data.draw(st.integers(0, n - 1)) for n in level.shape)
    cube = dict(makers.cubes_of(labels, factor))[at]
    is_cut = cube.size < math.prod(factor)
    choices = [v for v in (0, 1, 2, 3, 4, 77) if v not in cube and (v or not is_cut)]
    level[at] = data.draw(st.sampled_from(choices))
    assert f"at voxel {list(at)}, where s0 has only" in mismatch(labels, level, factor)


@given(labels=small_labels, factor=factors, data=st.data())
def test_cubes_are_compared_as_a_loop_does(labels, factor, data):
    level = data.draw(
        npst.arrays(np.uint32, makers.first(labels, factor).shape, elements=st.integers(0, 3))
    )
    cubes = level_cubes.whole_cubes(labels, factor)
    occurs, is_mixed = level_cubes.compared(cubes, level, factor)
    cut = level_cubes.is_cut(labels.shape, factor)
    for index, cube in makers.cubes_of(labels, factor):
        assert occurs[index] == (level[index] in cube)
        assert is_mixed[index] == (level[index] in cube and (cube != level[index]).any())
        assert cut[index] == (cube.size < math.prod(factor))
        (row,) = level_cubes.rows_of(cubes, np.array([index]), factor)
        assert set(row.tolist()) == set(cube.ravel().tolist())
        if not cut[index]:
            assert row.tolist() == cube.ravel().tolist()
            labelled = np.unique(cube[cube != 0], return_counts=True)[1]
            assert level_cubes.label_votes(row[None]) == max(labelled, default=0)


# where chunks are missing, by their index
PATTERNS = {
    "second half": lambda z, y, x: z >= 2,
    "last slab": lambda z, y, x: x == 3,
    "checkerboard": lambda z, y, x: (z + y + x) % 2 == 1,
    "every second": lambda z, y, x: z % 2 == 1 and y % 2 == 1 and x % 2 == 1,
    "one corner": lambda z, y, x: (z, y, x) == (3, 3, 3),
    "one inside": lambda z, y, x: (z, y, x) == (1, 2, 1),
}


def written(folder, format, labels, factor, chunks):
    """An array of a format on disk, and where the file of a chunk is."""
    placed = Placed(labels, tuple(8.0 * f for f in factor), (0, 0, 0), chunks)
    if format == "n5":
        path = f"{write_n5(folder / 'seg', [placed])}/s0"
        return wa.open_tensorstore(path), lambda z, y, x: Path(f"{path}/{x}/{y}/{z}")
    if format == "precomputed":
        path = write_precomputed(folder / "seg", [placed])
        (name,) = (p.name for p in Path(path).iterdir() if p.is_dir())

        def file(*index):
            ends = [
                f"{i * c}-{min(i * c + c, n)}"
                for i, c, n in zip(index, chunks, labels.shape, strict=True)
            ]
            return Path(path, name, "_".join(ends[::-1]))

        return wa.open_tensorstore(path, level=name), file
    version = {"zarr2": 2, "zarr3": 3}[format]
    path = write_array(folder / "seg", placed, version)
    start, separator = ("c/", "/") if version == 3 else ("", ".")
    return wa.open_tensorstore(path), lambda *i: Path(path, start + separator.join(map(str, i)))


BALLS = np.zeros((128, 128, 128), np.uint32)
for number in range(1, 65):
    centre = np.array(np.unravel_index(number - 1, (4, 4, 4))) * 32 + 16
    z, y, x = np.ogrid[:128, :128, :128]
    near = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 9**2
    BALLS[near] = number


@pytest.mark.parametrize("format", ["zarr2", "zarr3", "n5", "precomputed"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_half_written_levels(tmp_path, format, pattern):
    """All of a small volume is compared."""
    base, _ = written(tmp_path / "0", format, BALLS, (1, 1, 1), (32, 32, 32))
    level, file = written(
        tmp_path / "1", format, makers.first(BALLS, (2, 2, 2)), (2, 2, 2), (16, 16, 16)
    )
    assert level_mismatches(base, [(level, (2, 2, 2))]) == [None]
    for index in np.ndindex(4, 4, 4):
        if PATTERNS[pattern](*index):
            file(*index).unlink()
    (found,) = level_mismatches(base, [(level, (2, 2, 2))])
    assert "has background at voxel" in found


@pytest.mark.parametrize("format", ["zarr2", "zarr3", "n5"])
def test_a_missing_chunk_is_looked_for_first(tmp_path, format, monkeypatch):
    """Its files show it: one box is read in 512, and 2 of 64 chunks are not stored of the level.

    One of them is where s0 has none either.
    """
    labels = BALLS.copy()
    labels[:32, :32, :32] = 0
    base, _ = written(tmp_path / "0", format, labels, (1, 1, 1), (16, 16, 16))
    level, file = written(
        tmp_path / "1", format, makers.first(labels, (2, 2, 2)), (2, 2, 2), (16, 16, 16)
    )
    monkeypatch.setattr(level_sample, "BOX_VOXELS", 16**3)
    monkeypatch.setattr(level_sample, "MOST_BOXES", 1)
    monkeypatch.setattr(level_sample, "FEWEST_BOXES", 1)
    monkeypatch.setattr(level_check, "BOX_VOXELS", 16**3)
    monkeypatch.setattr(level_check, "_PATIENCE", 1)
    assert level_mismatches(base, [(level, (2, 2, 2))]) == [None]
    file(2, 1, 3).unlink()
    (found,) = level_mismatches(base, [(level, (2, 2, 2))])
    assert "has background at voxel" in found


def test_a_level_leads_to_the_labels_of_a_sparse_volume(monkeypatch):
    """One body in 4096 boxes, of which 24 are read: where a coarse level has labels."""
    labels = np.zeros((128, 128, 128), np.uint32)
    labels[65:79, 81:95, 97:111] = 5
    monkeypatch.setattr(level_sample, "BOX_VOXELS", 8**3)
    pyramid = [makers.first(labels, (f,) * 3) for f in (2, 4)]
    pyramid[0] = np.where(pyramid[0], 6, 0).astype(np.uint32)
    monkeypatch.setattr(level_check, "BOX_VOXELS", 32**3)
    stores = [(ts.array(level), (f,) * 3) for level, f in zip(pyramid, (2, 4), strict=True)]
    first, second = level_mismatches(ts.array(labels), stores)
    assert "has label 6" in first and second is None


def test_bodies_that_fill_no_cube():
    """Background is in each cube, and wins in none: a level of nothing else lacks the bodies."""
    factor = (4, 4, 4)
    labels = np.zeros((32, 32, 32), np.uint32)
    rng = np.random.default_rng(3)
    for number, corner in enumerate(np.ndindex(8, 8, 8), 1):
        size = rng.permutation([3, 3, 4])
        begin = [c * 4 + (n == 3) * rng.integers(0, 2) for c, n in zip(corner, size, strict=True)]
        labels[tuple(slice(b, b + n) for b, n in zip(begin, size, strict=True))] = number
    assert all(16 <= np.sum(cube == 0) < 32 for _, cube in makers.cubes_of(labels, factor))
    # votes on votes lose these bodies as well
    for maker in set(makers.GOOD) - {makers.mode_of_modes}:
        assert mismatch(labels, maker(labels, factor), factor) is None
    found = mismatch(labels, makers.all_zero(labels, factor), factor)
    assert found == "it is background at voxels [0, 0, 0] to [8, 8, 8], where s0 has labels"


def test_broken_chunks(tmp_path):
    """A level that cannot be read is not used; s0 has to be."""
    base, base_file = written(tmp_path / "0", "n5", BALLS, (1, 1, 1), (32, 32, 32))
    level, file = written(
        tmp_path / "1", "n5", makers.first(BALLS, (2, 2, 2)), (2, 2, 2), (32, 32, 32)
    )
    intact = file(1, 1, 0).read_bytes()
    file(1, 1, 0).write_bytes(b"broken")
    (found,) = level_mismatches(base, [(level, (2, 2, 2))])
    assert found.startswith("it cannot be read: ") and "\n" not in found
    file(1, 1, 0).write_bytes(intact)
    base_file(1, 1, 0).write_bytes(b"broken")
    with pytest.raises(UserError, match="the volume cannot be read at voxels"):
        level_mismatches(base, [(level, (2, 2, 2))])


@pytest.mark.parametrize("maker", [makers.mode, makers.middle])
def test_cubes_too_large_to_read(maker, monkeypatch):
    """Coarse levels are compared with the finest good level that is near enough."""
    monkeypatch.setattr(level_check, "BOX_VOXELS", 64)
    monkeypatch.setattr(level_sample, "BOX_VOXELS", 64)
    labels = voronoi((64, 64, 64), 100, 4)
    factors = [(2, 2, 2), (4, 4, 4), (8, 8, 8)]
    pyramid = [maker(labels, factor) for factor in factors]

    def checked(levels):
        stores = [(ts.array(level), f) for level, f in zip(levels, factors, strict=True)]
        return level_mismatches(ts.array(labels), stores)

    assert checked(pyramid) == [None] * 3
    for wrong in (makers.relabelled, makers.averaged, makers.all_zero):
        found = checked([*pyramid[:2], wrong(labels, factors[2])])
        assert found[:2] == [None] * 2
        assert found[2].startswith("it has labels at voxels")
    # the first one is not good: the second one stands for s0
    found = checked([makers.all_zero(labels, factors[0]), *pyramid[1:]])
    assert [reason is None for reason in found] == [False, True, True]
    # no level stands for s0
    found = level_mismatches(ts.array(labels), [(ts.array(pyramid[2]), factors[2])])
    assert found == ["its voxels cover 8 x 8 x 8 of s0, too many to be read"]


@given(
    shape=st.tuples(*[st.integers(1, 5000)] * 3),
    chunk=st.tuples(*[st.sampled_from([1, 7, 32, 64, 100, 512, 2048])] * 3),
    unit=st.tuples(*[st.sampled_from([1, 2, 8, 128])] * 3),
)
def test_boxes_are_whole_cubes_and_small(shape, chunk, unit):
    box = level_sample.box_shape(shape, chunk, unit)
    assert all(n % u == 0 for n, u in zip(box, unit, strict=True))
    assert math.prod(box) <= level_sample.BOX_VOXELS
    number = level_sample.num_boxes(box, chunk)
    decoded = number * level_sample.decoded_voxels(box, chunk)
    assert number == level_sample.FEWEST_BOXES or decoded <= level_sample.DECODED_VOXELS


def test_flat_chunks_are_read_along_their_planes():
    assert level_sample.box_shape((4096,) * 3, (1, 2048, 2048), (8, 8, 8)) == (8, 512, 512)
    assert level_sample.box_shape((4096,) * 3, (64, 64, 64), (8, 8, 8)) == (128, 128, 128)


@given(grid=st.tuples(*[st.integers(1, 40)] * 3), most=st.integers(1, 300))
@settings(max_examples=30)
def test_boxes_are_spread(grid, most):
    found = list(level_sample.spread(grid, most))
    assert len(found) == len(set(found))
    assert all(0 <= i < n for index in found for i, n in zip(index, grid, strict=True))
    if math.prod(grid) <= most:
        assert len(found) == math.prod(grid)


def test_boxes_are_spread_out_of_step():
    """No regular pattern of chunks hides from them."""
    found = np.array(list(level_sample.spread((16, 16, 16), 24)))
    for parity in np.ndindex(2, 2, 2):
        assert (found % 2 == parity).all(axis=1).any()
    assert all(len(np.unique(found[:, axis] // 4)) == 4 for axis in range(3))
