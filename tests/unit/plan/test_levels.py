from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.plan.levels import plan_levels
from snakemesh.plan.placement import level_factors
from volumes import volume

ISOTROPIC = tuple((2**k,) * 3 for k in range(4))
WHOLE = ((0, 0, 0), (100, 90, 70))
PLACE = {"shape": (100, 90, 70), "voxel_size": (8, 8, 8), "translation": (1004, -4, 40.5)}


def built(levels):
    return [level.is_built for level in levels]


@given(
    st.tuples(*[st.sampled_from([8.0, 10.0, 20.0, 40.0])] * 3),
    st.tuples(*[st.sampled_from([0.0, 4.0, -1000.25])] * 3),
    st.tuples(*[st.integers(0, 3)] * 3),
    st.integers(1, 6),
)
def test_placement_of_every_level(voxel_size, translation, begin_cubes, num_lods):
    factors = level_factors(voxel_size, num_lods)
    begin = tuple(b * f for b, f in zip(begin_cubes, factors[-1], strict=True))
    end = tuple(b + n for b, n in zip(begin, (70, 33, 1), strict=True))
    source = volume(end, voxel_size, translation)
    levels = plan_levels(source, factors, begin, end, "/meshes/pyramid", True)
    vs_0 = np.array(voxel_size)
    tr_0 = np.array(translation) + np.array(begin) * vs_0  # of the first meshed voxel
    for level, factor in zip(levels, factors, strict=True):
        assert level.factor == factor
        np.testing.assert_allclose(level.voxel_size, vs_0 * factor)
        np.testing.assert_allclose(level.translation, tr_0 + 0.5 * vs_0 * (np.array(factor) - 1))
        # the centre of a cube is the mean of the centres of its voxels
        for axis in range(3):
            centres = tr_0[axis] + vs_0[axis] * np.arange(factor[axis])
            assert level.translation[axis] == pytest.approx(centres.mean())
        n_cubes = [
            len({i // f for i in range(e - b)}) for b, e, f in zip(begin, end, factor, strict=True)
        ]
        assert level.shape == tuple(n_cubes)


def test_levels_that_are_built():
    levels = plan_levels(volume(**PLACE), ISOTROPIC, *WHOLE, "/meshes/pyramid", True)
    assert built(levels) == [False, True, True, True]
    assert [level.path for level in levels] == ["/data/seg/s0"] + [
        f"/meshes/pyramid/s{k}" for k in (1, 2, 3)
    ]
    assert {level.origin for level in levels} == {(0, 0, 0)}


def test_levels_that_are_there_are_used():
    source = volume(**PLACE, factors=ISOTROPIC)
    levels = plan_levels(source, ISOTROPIC, *WHOLE, "/meshes/pyramid", True)
    assert built(levels) == [False] * 4
    assert [level.path for level in levels] == [level.path for level in source]
    for level, own in zip(levels, source, strict=True):
        assert (level.shape, level.voxel_size) == (own.shape, own.voxel_size)
        assert level.translation == pytest.approx(own.translation)


def test_a_gap_in_the_middle_is_built():
    source = volume(**PLACE, factors=(ISOTROPIC[0], ISOTROPIC[1], ISOTROPIC[3]))
    levels = plan_levels(source, ISOTROPIC, *WHOLE, "/meshes/pyramid", True)
    assert built(levels) == [False, False, True, False]
    assert levels[2].path == "/meshes/pyramid/s2"
    assert levels[3].path == source[2].path


def test_existing_levels_are_ignored_on_request():
    source = volume(**PLACE, factors=ISOTROPIC)
    levels = plan_levels(source, ISOTROPIC, *WHOLE, "/meshes/pyramid", False)
    assert built(levels) == [False, True, True, True]


def test_levels_of_other_factors_are_not_wanted():
    source = volume(**PLACE, factors=((1, 1, 1), (1, 2, 2), (3, 3, 3), (4, 4, 4)))
    levels = plan_levels(source, ISOTROPIC, *WHOLE, "/meshes/pyramid", True)
    assert built(levels) == [False, True, False, True]


def test_part_of_an_existing_level():
    source = volume(**PLACE, factors=ISOTROPIC)
    levels = plan_levels(source, ISOTROPIC, (16, 0, 40), (48, 90, 70), "/meshes/pyramid", True)
    assert [level.origin for level in levels] == [(16, 0, 40), (8, 0, 20), (4, 0, 10), (2, 0, 5)]
    assert [level.shape for level in levels] == [(32, 90, 30), (16, 45, 15), (8, 23, 8), (4, 12, 4)]
    for level, own in zip(levels, source, strict=True):
        corner = np.array(level.translation) - np.array(own.translation)
        np.testing.assert_allclose(corner, np.array(level.origin) * own.voxel_size)
        assert all(o + n <= m for o, n, m in zip(level.origin, level.shape, own.shape, strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (50, 45, 34)},
        {"shape": (49, 45, 35)},
        {"translation": (1004.0, -4.0, 40.5)},  # as if voxel 0 of every level had the same centre
        {"translation": (1008.0, 0.0, 45.5)},
        {"voxel_size": (16.5, 16.0, 16.0)},
        {"dtype": "uint16"},
        {"unusable": "it is broken"},
    ],
)
def test_a_level_that_contradicts_its_factor_is_built_anew(wrong):
    source = volume(**PLACE, factors=ISOTROPIC)
    source = (source[0], replace(source[1], **wrong), *source[2:])
    levels = plan_levels(source, ISOTROPIC, *WHOLE, "/meshes/pyramid", True)
    assert built(levels) == [False, True, False, False]
    assert levels[1].why_built.startswith("/data/seg/s1 is not used: it")
    assert "\n" not in levels[1].why_built
    levels = plan_levels(source, ISOTROPIC, *WHOLE, "/meshes/pyramid", False)
    assert [level.why_built for level in levels] == [""] * 4


def test_a_hair_off_is_not_a_contradiction():
    source = volume(**PLACE, factors=ISOTROPIC)
    near = replace(source[1], voxel_size=(16.0005, 16.0, 16.0), translation=(1008.05, 0.0, 44.5))
    levels = plan_levels((source[0], near), ISOTROPIC, *WHOLE, "/meshes/pyramid", True)
    assert built(levels) == [False, False, True, True]


def test_factor_over_a_finer_level():
    levels = plan_levels(
        volume((64, 64, 64), (20, 8, 8)),
        level_factors((20, 8, 8), 4),
        (0, 0, 0),
        (64, 64, 64),
        "/p",
        True,
    )
    assert levels[3].relative_to(levels[1]) == (4, 4, 4)
    assert levels[1].relative_to(levels[0]) == (1, 2, 2)
