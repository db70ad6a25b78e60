import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.errors import UserError
from snakemesh.halo import halo_voxels
from snakemesh.plan.placement import (
    CORNER_TOLERANCE,
    NEAR_VOXELS,
    aligned_roi,
    base_of,
    level_factors,
)
from snakemesh.source.bounds import MAX_POSITION_NM, MAX_VOXELS
from volumes import plan_of, volume

sizes = st.sampled_from([1.0, 4.0, 8.0, 10.0, 12.0, 20.0, 31.5, 40.0, 200.0])


# -- factors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (8, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 16)]),
        (10, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 16)]),
        (12, [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 16)]),
        (12.5, [(1, 1, 1), (1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 16, 16)]),
        (20, [(1, 1, 1), (1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 16, 16)]),
        (40, [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8), (4, 16, 16)]),
    ],
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_factors_of_anisotropic_voxels(z, expected, axis):
    voxel_size = [8.0, 8.0, 8.0]
    voxel_size[axis] = float(z)
    order = [1, 2]
    order.insert(axis, 0)
    wanted = tuple(tuple(factor[i] for i in order) for factor in expected)
    assert level_factors(tuple(voxel_size), 5) == wanted


@given(st.tuples(sizes, sizes, sizes), st.integers(1, 16))
def test_factors_double_what_is_fine(voxel_size, num_lods):
    factors = level_factors(voxel_size, num_lods)
    assert len(factors) == num_lods
    assert factors[0] == (1, 1, 1)
    for before, after in itertools.pairwise(factors):
        current = np.array(before) * voxel_size
        is_fine = current <= 1.5 * current.min() * (1 + 1e-6)
        assert after == tuple((np.array(before) * np.where(is_fine, 2, 1)).tolist())
    for order in itertools.permutations(range(3)):
        turned = level_factors(tuple(voxel_size[i] for i in order), num_lods)
        assert turned == tuple(tuple(factor[i] for i in order) for factor in factors)


# -- the number of LODs -----------------------------------------------------------------------


@pytest.mark.parametrize("cell_size", [64, 256])
@pytest.mark.parametrize(
    ("shape", "voxel_size", "num_lods"),
    [
        # at least three
        ((8, 8, 8), (8, 8, 8), 3),
        ((100, 100, 100), (8, 8, 8), 3),
        ((2048,) * 3, (8, 8, 8), 3),
        ((200, 2048, 1000), (40, 8, 8), 3),
        # 512 voxels of the coarsest level along the longest side
        ((2048, 2048, 2049), (8, 8, 8), 4),
        ((8192,) * 3, (8, 8, 8), 5),
        ((102_400,) * 3, (8, 8, 8), 9),
        ((2000, 20_000, 20_000), (40, 8, 8), 7),
        ((20_000, 20_000, 2000), (8, 8, 40), 7),
        # for more, there are not enough voxels
        ((1, 1, 1), (8, 8, 8), 1),
        ((7, 100, 100), (8, 8, 8), 2),
        ((1, 20_000, 20_000), (8, 8, 8), 1),
        ((1, 20_000, 20_000), (40, 8, 8), 3),
        ((31, 100_000, 100_000), (8, 8, 8), 4),
        ((32, 100_000, 100_000), (8, 8, 8), 5),
        ((10, 100_000, 100_000), (40, 8, 8), 5),
        # nor are there ever more than 16
        ((1 << 16, 1 << 16, 1 << 25), (8, 8, 8), 16),
    ],
)
def test_the_number_of_lods_of_known_volumes(shape, voxel_size, num_lods, cell_size):
    plan = plan_of(volume(shape, voxel_size), num_lods=None, cell_size=cell_size)
    assert plan.num_lods == num_lods


def test_a_roi_counts_as_the_volume():
    large = volume((102_400,) * 3)
    roi = [[79_996, 80_000, 80_000], [79_996 + 8 * 8192, 90_000, 90_000]]
    assert plan_of(large, num_lods=None, roi=roi).num_lods == 5
    for mode in ("halo", "snap"):
        thin = [[80_004, 0, 0], [80_004 + 8 * 31, 800_000, 800_000]]
        plan = plan_of(large, num_lods=None, roi=thin, pyramid_alignment_mode=mode)
        assert plan.num_lods == 4


extents = st.integers(0, 17).flatmap(lambda bits: st.integers(1 << bits, 2 << bits))


@settings(deadline=None)
@given(
    st.tuples(extents, extents, extents),
    st.tuples(sizes, sizes, sizes),
    st.sampled_from(["halo", "snap"]),
    st.data(),
)
def test_as_many_lods_as_are_needed(shape, voxel_size, mode, data):
    """Each further LOD halves the longest side, until it has 512 voxels: counted one by one."""
    begin = [data.draw(st.integers(0, n - 1)) for n in shape]
    end = [data.draw(st.integers(b + 1, n)) for b, n in zip(begin, shape, strict=True)]
    roi = data.draw(
        st.sampled_from(
            [
                None,
                [[(p - 0.5) * v for p, v in zip(e, voxel_size, strict=True)] for e in (begin, end)],
            ]
        )
    )
    if roi is None:
        begin, end = (0, 0, 0), shape
    voxels = np.subtract(end, begin)

    def plan(num_lods):
        return plan_of(
            volume(shape, voxel_size),
            num_lods=num_lods,
            roi=roi,
            pyramid_alignment_mode=mode,
        )

    def leaves_enough(num_lods):
        coarsest = np.array(level_factors(voxel_size, num_lods)[-1])
        return bool(np.all((coarsest == 1) | (voxels >= 2 * coarsest)))

    needed = 3
    while 512 << (needed - 1) < voxels.max():
        needed += 1
    chosen_plan = plan(None)
    explicit = plan(chosen_plan.num_lods)
    assert dataclasses.replace(chosen_plan, settings=explicit.settings) == explicit
    assert chosen_plan.num_lods == max(
        n for n in range(1, min(needed, 16) + 1) if n == 1 or leaves_enough(n)
    )


# -- region of interest -----------------------------------------------------------------------


def chosen(n, factor, begin, end, mode):
    """Begin and end, on one axis, of the cubes that the roi touches (halo) or contains (snap).

    begin, end: the roi, in voxels. Every cube is looked at. None if there is no such cube.
    """
    found = []
    for first in range(0, n, factor):
        last = min(first + factor, n)
        touched = first < end and begin < last
        held = begin <= first and last <= end
        if touched if mode == "halo" else held:
            found.append((first, last))
    return (found[0][0], found[-1][1]) if found else None


axes = st.tuples(
    st.integers(1, 60),  # voxels
    st.sampled_from([1, 2, 4, 8, 16]),  # factor
    st.sampled_from([4.0, 8.0, 31.5]),  # voxel size
    st.sampled_from([0.0, 4.0, -1004.0, 12345.5]),  # translation
    st.integers(-40, 240),  # begin, in quarters of a voxel
    st.integers(1, 240),  # length
)


@given(st.tuples(axes, axes, axes), st.sampled_from(["halo", "snap"]))
def test_roi_against_every_cube(axes, mode):
    shape, factor, voxel_size, translation, begins, lengths = zip(*axes, strict=True)
    begin = [b / 4 for b in begins]
    end = [(b + n) / 4 for b, n in zip(begins, lengths, strict=True)]
    expected = [
        chosen(n, f, b, e, mode) for n, f, b, e in zip(shape, factor, begin, end, strict=True)
    ]

    def to_nm(position):
        return tuple(
            t + (p - 0.5) * v for t, p, v in zip(translation, position, voxel_size, strict=True)
        )

    arguments = ((to_nm(begin), to_nm(end)), shape, voxel_size, translation, factor, mode)
    if None in expected:
        with pytest.raises(UserError, match="^config key roi: found [^\n]*$"):
            aligned_roi(*arguments)
    else:
        assert aligned_roi(*arguments) == tuple(zip(*expected, strict=True))


def roi(begin, end, mode="halo", shape=(100, 100, 100)):
    """The aligned roi at a factor of 8, of a volume of 10 nm voxels that begins at 1000 2000 3000.

    begin, end: in nm.
    """
    return aligned_roi((begin, end), shape, (10.0,) * 3, (1005.0, 2005.0, 3005.0), (8, 8, 8), mode)


def test_no_roi_is_everything_whatever_the_factor():
    for mode in ("halo", "snap"):
        found = aligned_roi(None, (100, 7, 1), (8.0,) * 3, (4.0,) * 3, (16, 16, 16), mode)
        assert found == ((0, 0, 0), (100, 7, 1))


def test_roi_is_in_nm_from_the_corner_of_the_volume():
    begin, end = (1000 + 160, 2000 + 165, 3000 + 239), (1000 + 400, 2000 + 401, 3000 + 399)
    assert roi(begin, end) == ((16, 16, 16), (40, 48, 40))
    assert roi(begin, end, "snap") == ((16, 24, 24), (40, 40, 32))


def test_roi_past_the_edge_is_cut_to_the_data():
    assert roi((0, 0, 0), (1e6, 1e6, 1e6)) == ((0, 0, 0), (100, 100, 100))
    assert roi((0, 0, 0), (1e6, 1e6, 1e6), "snap") == ((0, 0, 0), (100, 100, 100))
    assert roi((1000, 2000, 3000), (2000, 3000, 4000), "snap") == ((0, 0, 0), (100, 100, 100))
    assert roi((1900, 2000, 3000), (2500, 2080, 3080)) == ((88, 0, 0), (100, 8, 8))


def test_roi_on_an_edge_is_on_it_in_spite_of_rounding():
    voxel_size = (0.1, 0.7, 3.3)
    begin, end = (tuple(n * v for v in voxel_size) for n in (24, 80))
    centre = tuple(v / 2 for v in voxel_size)
    for mode in ("halo", "snap"):
        found = aligned_roi((begin, end), (100,) * 3, voxel_size, centre, (8, 8, 8), mode)
        assert found == ((24, 24, 24), (80, 80, 80))


@pytest.mark.parametrize(
    ("begin", "end", "mode", "expected"),
    [
        (
            (2000, 2000, 3000),
            (3000, 3000, 4000),
            "halo",
            r"outside the volume.*\[1000.0, 2000.0",
        ),
        ((0, 2000, 3000), (1000, 3000, 4000), "halo", "outside the volume"),
        ((1000, 2000, 3000), (1000, 3000, 4000), "halo", "its end is not beyond its begin"),
        ((1500, 2000, 3000), (1100, 3000, 4000), "snap", "its end is not beyond its begin"),
        ((1010, 2000, 3000), (1150, 3000, 4000), "snap", "no whole cube.*pyramid_alignment_mode"),
    ],
)
def test_roi_of_nothing_is_refused(begin, end, mode, expected):
    with pytest.raises(UserError, match=f"^config key roi: found [^\n]*{expected}[^\n]*$"):
        roi(begin, end, mode)


# -- small things -----------------------------------------------------------------------------


def test_halo_is_a_voxel_a_pass_and_seven():
    assert [halo_voxels(n) for n in (0, 1, 2, 5, 10)] == [7, 9, 10, 11, 27]


# -- what positions are relative to -----------------------------------------------------------


@pytest.mark.parametrize(
    ("corner", "base"),
    [
        ((0, -4, 524_288), (0, 0, 0)),
        ((524_289, -600_000.5, -1.65), (524_289, -600_000, 0)),
        ((500_000.3, 0, 0), (500_000, 0, 0)),  # 32 bits are 0.02 nm apart there
        ((1e6 + 0.25, 1e9 + 24, -1e10 - 600), (1_000_000, 1_000_000_000, -10_000_000_000 - 1024)),
    ],
)
def test_the_base_of_known_corners(corner, base):
    assert base_of(corner, (8.0, 8.0, 8.0)) == base


far_corners = st.floats(-MAX_POSITION_NM, MAX_POSITION_NM) | st.sampled_from(
    [
        sign * p * 10.0**n + q
        for sign in (1, -1)
        for p in (0, 1)
        for n in (3, 6, 9, 10)
        for q in (0, 0.3)
    ]
)


@settings(max_examples=500)
@given(far_corners, st.floats(1e-3, 1e9) | sizes)
def test_corners_are_exact_wherever_a_volume_may_be(corner, voxel):
    """To 0.01 voxel, and near 0 nothing is moved."""
    corner = float(np.clip(corner, -MAX_VOXELS * voxel, MAX_VOXELS * voxel))
    base = base_of((corner,) * 3, (voxel,) * 3)
    assert {type(b) for b in base} == {int}
    assert len(set(base)) == 1
    assert np.float32(base[0]) == base[0]
    in_manifest = float(np.float32(corner - base[0]))
    assert abs(in_manifest + base[0] - corner) <= 0.01 * voxel
    if abs(corner) <= NEAR_VOXELS * voxel and float(np.float32(corner)) == corner:
        assert base[0] == 0
    if base[0] == 0:
        assert abs(in_manifest - corner) <= max(CORNER_TOLERANCE * voxel, 1e-7)
