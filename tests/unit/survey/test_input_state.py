import os
from dataclasses import replace

import numpy as np
import pytest

from formats import Placed, write_zarr
from snakemesh.chunk_files import ChunkFiles
from snakemesh.errors import UserError
from snakemesh.plan.plan import make_plan
from snakemesh.source.read import read_source
from snakemesh.survey import input_state
from snakemesh.survey.input_state import (
    is_checked,
    look_at_input,
    number_of_chunks,
    read_state,
    write_state,
)
from volumes import settings_with, volume

LABELS = np.random.default_rng(0).integers(1, 9, (40, 40, 40)).astype(np.uint8)
COARSER = LABELS[::2, ::2, ::2]


@pytest.fixture
def path(tmp_path):
    levels = [
        Placed(LABELS, (8, 8, 8), (0, 0, 0), (16, 16, 16)),
        Placed(COARSER, (16, 16, 16), (0, 0, 0), (16, 16, 16)),
    ]
    return write_zarr(tmp_path / "seg.zarr", levels)


def plan_of(path, **changes):
    settings = settings_with(input_path=path, num_lods=3, cell_size=32, **changes)
    return make_plan(settings, read_source(path))


def test_all_levels_that_are_read_are_looked_at(path):
    plan = plan_of(path)
    assert is_checked(plan)
    assert number_of_chunks(plan) == 27 + 8
    assert {k: found.shape for k, found in look_at_input(plan).stamps.items()} == {
        0: (3, 3, 3),
        1: (2, 2, 2),
    }
    assert number_of_chunks(plan_of(path, use_existing_scales=False)) == 27


def test_only_the_part_that_is_meshed_is_looked_at(path):
    plan = plan_of(path, roi=[[150, 0, 0], [300, 100, 100]])
    state = look_at_input(plan)
    # voxels 16 to 40, 0 to 16 and 0 to 16: aligned to the coarsest level
    assert state.stamps[0].shape == (2, 1, 1)
    before = state.watch(0, ((0, 0, 0), plan.levels[0].shape))
    os.utime(f"{path}/s0/0.0.0", ns=(1, 1))
    assert look_at_input(plan).watch(0, ((0, 0, 0), plan.levels[0].shape)) == before
    os.utime(f"{path}/s0/1.0.0", ns=(1, 1))
    assert look_at_input(plan).watch(0, ((0, 0, 0), plan.levels[0].shape)) != before


def test_jobs_see_what_the_run_has_seen(path, tmp_path):
    plan = plan_of(path)
    write_state(str(tmp_path / "work" / "input.npz"), look_at_input(plan))
    box = ((0, 0, 0), (5, 5, 5))
    before = look_at_input(plan).watch(0, box)
    os.utime(f"{path}/s0/0.0.0", ns=(1, 1))
    kept = read_state(str(tmp_path / "work" / "input.npz"), plan)
    assert kept.watch(0, box) == before != look_at_input(plan).watch(0, box)
    with pytest.raises(UserError, match="has changed while the run was going on"):
        before.refuse_change()


def test_what_is_not_checked(path, monkeypatch):
    assert look_at_input(plan_of(path, check_input=False)).stamps == {}
    remote = make_plan(settings_with(), volume())  # without files, as a remote volume
    assert not is_checked(remote) and look_at_input(remote).stamps == {}
    monkeypatch.setattr(input_state, "MAX_CHUNKS", 34)
    assert not is_checked(plan_of(path))
    assert is_checked(plan_of(path, check_input=True))


def test_what_cannot_be_checked_is_refused():
    plan = make_plan(settings_with(check_input=True), volume())
    with pytest.raises(UserError, match="^config key check_input: found true, .*input_version"):
        look_at_input(plan)


def test_an_input_of_too_many_chunks_is_not_looked_at():
    levels = volume((1 << 19,) * 3, chunks=(32, 32, 32))
    files = ChunkFiles("/data/seg/s0", levels[0].shape, (32, 32, 32), "{i[0]}.{i[1]}.{i[2]}")
    levels = (replace(levels[0], files=files),)
    assert not is_checked(make_plan(settings_with(), levels))
    with pytest.raises(UserError, match="^config key check_input: found true, but .* chunks"):
        look_at_input(make_plan(settings_with(check_input=True), levels))


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ValueError("NUL")])
def test_chunks_that_cannot_be_looked_at(path, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(input_state, "stamps", fails)
    with pytest.raises(UserError, match="^config key input_path: the chunks in .*seg.zarr/s0 "):
        look_at_input(plan_of(path))
