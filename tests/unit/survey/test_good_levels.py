"""Levels of a volume that do not fit its s0 are built anew, and the plan says why."""

import numpy as np
import pytest

import levels as makers
from formats import Placed, write_zarr
from snakemesh.console.summary import plan_summary
from snakemesh.plan.plan import make_plan
from snakemesh.source.read import read_source
from snakemesh.survey.good_levels import unfit_levels
from snakemesh.survey.input_state import InputState, read_kept, write_state
from snakemesh.tables.bodies import TableFacts
from surfaces import voronoi
from volumes import settings_with

LABELS = voronoi((64, 64, 64), 40, 2)
FACTORS = [(2, 2, 2), (4, 4, 4)]


def written(folder, *pyramid):
    """A volume with these levels, as an OME-Zarr group."""
    levels = [Placed(LABELS, (8, 8, 8), (0, 0, 0), (32, 32, 32))]
    for level, factor in zip(pyramid, FACTORS, strict=True):
        levels.append(Placed(level, tuple(8.0 * f for f in factor), (0, 0, 0), (16, 16, 16)))
    return write_zarr(folder / "seg", levels)


def of(path, table=None, **changes):
    """Settings and levels of a volume, and the levels that do not fit, by the end of their path."""
    settings = settings_with(**{"input_path": path, "num_lods": 3, "cell_size": 32} | changes)
    levels = read_source(path)
    return settings, levels, unfit_levels(settings, levels, table)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """A volume whose s1 was averaged."""
    pyramid = makers.averaged(LABELS, FACTORS[0]), makers.first(LABELS, FACTORS[1])
    return written(tmp_path_factory.mktemp("wrong"), *pyramid)


def test_levels_that_fit_are_used(tmp_path):
    pyramid = makers.mode(LABELS, FACTORS[0]), makers.first(LABELS, FACTORS[1])
    settings, levels, found = of(written(tmp_path, *pyramid))
    assert found == {}
    plan = make_plan(settings, levels, mismatches=found)
    assert [level.is_built for level in plan.levels] == [False, False, False]


def test_others_are_built_and_jobs_know_it(wrong, tmp_path):
    """A job takes from the run that plans which levels do not fit."""
    settings, levels, found = of(wrong)
    (path,) = found
    assert path == f"{wrong}/s1" and "has label" in found[path]
    plan = make_plan(settings, levels, mismatches=found)
    assert [level.is_built for level in plan.levels] == [False, True, False]
    assert f"{wrong}/s1 is not used: {found[path]}" in plan_summary(plan, None)
    write_state(str(tmp_path / "input.npz"), InputState(plan, {}), found)
    kept = read_kept(str(tmp_path / "input.npz")).mismatches
    assert make_plan(settings, levels, mismatches=kept) == plan


@pytest.mark.parametrize(
    ("changes", "table"),
    [
        ({"use_existing_scales": "trust"}, None),
        ({"use_existing_scales": False}, None),
        ({"downsample_method": "binary"}, None),
        ({"num_lods": 1}, None),
        ({}, TableFacts("0", 1, 1)),
    ],
)
def test_levels_that_are_trusted_or_not_wanted_are_not_read(wrong, changes, table):
    assert of(wrong, table, **changes)[-1] == {}


def test_the_part_that_is_meshed_decides(tmp_path):
    pyramid = [makers.mode(LABELS, factor) for factor in FACTORS]
    pyramid[0][:16] = 0
    path = written(tmp_path, *pyramid)
    upper, lower = [[256, 0, 0], [512, 512, 512]], [[0, 0, 0], [256, 512, 512]]
    assert of(path, roi=upper)[-1] == {}
    assert list(of(path, roi=lower)[-1]) == [f"{path}/s1"]


def test_a_level_of_another_place_is_not_looked_at(tmp_path):
    """What its metadata say is enough."""
    levels = [
        Placed(LABELS, (8, 8, 8), (0, 0, 0), (32, 32, 32)),
        Placed(np.zeros((32, 32, 32), np.uint32), (16, 16, 16), (64, 0, 0), (16, 16, 16)),
    ]
    path = write_zarr(tmp_path / "seg", levels)
    settings, found_levels, found = of(path)
    assert found == {}
    assert "is not used: it lies at" in make_plan(settings, found_levels).levels[1].why_built
