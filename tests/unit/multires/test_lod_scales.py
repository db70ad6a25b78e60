"""The scale of an LOD is its error: a mean over fragments, and what the viewer requires."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.multires.lod_scales import LEAST_SCALE, lod_errors, lod_scales

NOTHING = math.nan
fragments = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.floats(0, 1e6), st.floats(1e-3, 1e9)),
    max_size=40,
)
errors = st.one_of(st.just(NOTHING), st.floats(0, 1e4))


@given(fragments)
def test_errors_are_means_over_the_area_one_label_and_lod_at_a_time(rows):
    table = np.array(rows, float).reshape(-1, 4)
    group = (table[:, 0] * 4 + table[:, 1]).astype(int)
    found = lod_errors(table[:, 2], table[:, 3], group, (3, 4))
    for label in range(3):
        for lod in range(4):
            mine = [(square, area) for a, b, square, area in rows if (a, b) == (label, lod)]
            if not mine:
                assert math.isnan(found[label, lod])
                continue
            mean = math.fsum(s * a for s, a in mine) / math.fsum(a for _, a in mine)
            assert found[label, lod] == pytest.approx(math.sqrt(mean), rel=1e-12)


@given(st.lists(st.lists(errors, min_size=4, max_size=4), max_size=5))
def test_scales_are_what_the_viewer_requires_and_no_lod_comes_too_early(rows):
    scales = lod_scales(np.array(rows, float).reshape(-1, 4))
    assert scales.dtype == np.float32 and np.isfinite(scales).all()
    assert (scales > 0).all() and (np.diff(scales, axis=1) > 0).all()
    for row, found in zip(rows, scales.tolist(), strict=True):
        for lod, error in enumerate(row):
            assert math.isnan(error) or found[lod] >= np.float32(error)
            # it comes later only where an LOD before it does
            known = [e for e in row[: lod + 2] if not math.isnan(e)]
            if not math.isnan(error):
                assert found[lod] <= max(*known, error, LEAST_SCALE) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.1, 0.4, 0.9, 2.0], [0.1, 0.4, 0.9, 2.0]),
        # a coarser LOD that is nearer to s0 comes with the one before it
        ([0.1, 0.9, 0.4, 2.0], [0.1, 0.9, 0.9, 2.0]),
        # one without geometry is not drawn alone: the next one comes at once
        ([0.1, NOTHING, 0.9, 2.0], [0.1, 0.9, 0.9, 2.0]),
        ([0.0, 0.0, 0.0, 0.0], [LEAST_SCALE] * 4),
        ([0.1, 0.4, NOTHING, NOTHING], [0.1, 0.4, 0.4, 0.4]),
    ],
)
def test_known_scales(row, expected):
    assert lod_scales(np.array([row]))[0].tolist() == pytest.approx(expected, rel=1e-6)
