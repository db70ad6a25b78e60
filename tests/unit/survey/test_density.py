import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import build_pyramid, mesh
from snakemesh.console.summary import plan_summary
from snakemesh.cost.estimates import job_work, plan_work
from snakemesh.errors import UserError
from snakemesh.plan import blocks
from snakemesh.plan.plan import make_plan
from snakemesh.source.read import read_source
from snakemesh.survey.density import is_sparse
from snakemesh.survey.input_state import look_at_input, read_kept, write_state
from surfaces import voronoi
from volumes import plan_of, settings_with, volume

NOISE = np.random.default_rng(0).integers(1, 9, (64, 64, 64)).astype(np.uint64)


def planned(path, **changes):
    settings = settings_with(input_path=path, num_lods=1, cell_size=32, **changes)
    return make_plan(settings, read_source(path))


def written(folder, labels):
    return write_zarr(folder / "seg", [Placed(labels, (8, 8, 8), (0, 0, 0), (32, 32, 32))])


def test_a_volume_is_sparse_if_its_chunks_are_small(tmp_path):
    assert not is_sparse(planned(written(tmp_path / "dense", NOISE)))
    organelle = np.zeros_like(NOISE)
    organelle[10:20, 10:20, 10:20] = 7
    assert is_sparse(planned(written(tmp_path / "sparse", organelle)))


def test_what_decides_is_the_part_that_is_meshed(tmp_path):
    half = NOISE.copy()
    half[:32] = 0
    path = written(tmp_path, half)
    assert is_sparse(planned(path, roi=[[0, 0, 0], [256, 512, 512]]))
    assert not is_sparse(planned(path, roi=[[256, 0, 0], [512, 512, 512]]))


def test_chunks_that_are_not_stored_have_no_bytes(tmp_path):
    path = written(tmp_path, NOISE)
    shutil.rmtree(Path(path) / "s0" / "0", ignore_errors=True)
    for chunk in Path(path).glob("s0/[01].*"):
        chunk.unlink()
    assert is_sparse(planned(path))


def test_a_volume_whose_files_cannot_be_told_is_dense():
    assert plan_of(volume()).levels[0].files is None
    assert not is_sparse(plan_of(volume()))


def test_jobs_take_what_the_run_has_seen(tmp_path):
    plan = planned(written(tmp_path, NOISE))
    state = tmp_path / "input.npz"
    for sparse in (False, True):
        write_state(str(state), look_at_input(replace(plan, is_sparse=sparse)))
        assert read_kept(str(state)).is_sparse is sparse
    os.truncate(state, 30)
    with pytest.raises(UserError, match="give the same command again"):
        read_kept(str(state))


def test_a_sparse_volume_has_fewer_blocks_of_the_same_tiles():
    levels, settings = volume((1024,) * 3, chunks=(128,) * 3), settings_with()
    dense, sparse = make_plan(settings, levels), make_plan(settings, levels, is_sparse=True)
    assert sparse.tile_cells == dense.tile_cells
    assert [math.prod(dense.blocks(k)) for k in range(4)] == [64, 8, 1, 1]
    assert [math.prod(sparse.blocks(k)) for k in range(4)] == [8, 4, 1, 1]
    assert plan_work(sparse).seconds < plan_work(dense).seconds / 3
    block = {"lod": "0", "box": "0_0_0"}
    assert job_work(sparse, "mesh_block", block).voxels == 512**3
    assert "estimates for a sparse volume" in plan_summary(sparse, [])


def test_the_meshes_do_not_depend_on_it(tmp_path, monkeypatch):
    """Blocks are one cell, or eight of them."""
    monkeypatch.setattr(blocks, "MAX_BLOCK_VOXELS", 32**3)
    monkeypatch.setattr(blocks, "WORTHWHILE_VOXELS", 1)
    monkeypatch.setattr(blocks, "MIN_BLOCKS", 1)
    path = written(tmp_path, voronoi((64, 64, 64), 30, 1))
    made = []
    for sparse in (False, True):
        output = tmp_path / f"output{sparse}"
        settings = settings_with(
            input_path=path, output_directory=str(output), num_lods=2, cell_size=32
        )
        plan = make_plan(settings, read_source(path), is_sparse=sparse)
        assert plan.blocks(0) == ((1, 1, 1) if sparse else (2, 2, 2))
        build_pyramid(plan)
        made.append({p.name: p.read_bytes() for p in mesh(plan).glob("*.shard")})
    assert made[0] == made[1] and made[0]
