"""Which LODs are made of the fragments of the LOD below, and of which blocks. All is z y x."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from products import watched
from snakemesh.boxes import indices
from snakemesh.console.summary import plan_summary
from snakemesh.plan.finer import counted_voxels, finer_blocks
from snakemesh.plan.jobs import super_chunks_for_block, verify_job
from volumes import ISOTROPIC, plan_of, plans, volume

CUBES, FLAT = (8, 8, 8), (40, 8, 8)


@pytest.mark.parametrize(
    ("strategy", "voxel", "made_of_fragments", "needed"),
    [
        ("auto", CUBES, [False, True, True, True], (0,)),
        ("auto", FLAT, [False, False, False, True], (0, 1, 2, 3)),
        ("decimate", FLAT, [False, True, True, True], (0,)),
        ("downsample", CUBES, [False] * 4, (0, 1, 2, 3)),
    ],
)
def test_the_strategy_says_what_an_lod_is_made_of(strategy, voxel, made_of_fragments, needed):
    plan = plan_of(volume((300,) * 3, voxel), multires_strategy=strategy)
    assert [plan.is_of_fragments(lod) for lod in range(4)] == made_of_fragments
    assert plan.needed_levels == needed
    assert len(plan.needed_stages) == (needed != (0,))
    for lod in range(4):
        blocks = indices(plan.blocks(lod))
        of_levels = any(super_chunks_for_block(plan, lod, index) for index in blocks)
        assert of_levels == (lod > 0 and not made_of_fragments[lod])
    # what another LOD is made of counts voxels of s0
    factors = [int(np.prod(level.factor)) for level in plan.levels]
    is_needed = [True, *made_of_fragments[2:], False]
    counts = [f * is_one for f, is_one in zip(factors, is_needed, strict=True)]
    assert [counted_voxels(plan, lod) for lod in range(4)] == counts


def test_a_pyramid_that_is_kept_is_built_whatever_the_meshes_need():
    kept = plan_of(volume(), multires_strategy="auto", delete_intermediate_scales=False)
    assert kept.needed_stages == kept.stages != ()
    assert kept.needed_levels == (0, 1, 2, 3)
    assert plan_of(volume(), multires_strategy="auto").needed_stages == ()


def test_levels_of_the_input_that_no_lod_needs_are_not_verified_and_the_plan_says_so():
    levels = volume(factors=ISOTROPIC[:3])
    plan = plan_of(levels, multires_strategy="auto", downsample_method="nearest")
    assert verify_job(plan).own_levels == ()
    text = plan_summary(plan, None)
    assert "s1, s2 of the input are not meshed; multires_strategy: downsample meshes them" in text
    assert "downsample_method nearest changes no mesh" in text
    assert "LOD 2    1 cell of 1024 x 1024 x 1024 voxels of s0, made from LOD 1, in 1 block" in text
    usual = plan_summary(plan_of(levels), None)
    assert "not meshed" not in usual and "made of" not in usual


@given(plans())
def test_a_block_needs_the_blocks_that_hold_an_octant_of_its_cells(plan):
    for lod in range(1, plan.num_lods):
        if not plan.is_of_fragments(lod):
            assert all(finer_blocks(plan, lod, index) == [] for index in indices(plan.blocks(lod)))
            continue
        needed = set()
        for index in indices(plan.blocks(lod)):
            found = finer_blocks(plan, lod, index)
            finer = []
            for axis, i in enumerate(index):
                block, below = plan.block_cells[lod][axis], plan.block_cells[lod - 1][axis]
                cells = range(i * block, min((i + 1) * block, plan.n_cells[lod][axis]))
                octants = {2 * cell + half for cell in cells for half in (0, 1)}
                finer.append({o // below for o in octants if o < plan.n_cells[lod - 1][axis]})
            assert found == list(product(*map(sorted, finer)))
            needed |= set(found)
        assert needed == set(indices(plan.blocks(lod - 1)))


@given(plans(), st.data())
def test_an_edit_renames_a_chain_of_blocks_and_nothing_else(plan, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    before = watched(plan, rng)
    after = watched(plan, np.random.default_rng(0))
    after.state.stamps.update({k: stamps.copy() for k, stamps in before.state.stamps.items()})
    stamps = after.state.stamps[0]
    stamps[tuple(data.draw(st.integers(0, n - 1)) for n in stamps.shape)] += np.uint64(1)
    renamed: set[tuple[int, tuple[int, int, int]]] = set()
    for lod in range(plan.num_lods):
        for index in indices(plan.blocks(lod)):
            is_renamed = before.block(lod, index) != after.block(lod, index)
            if plan.is_of_fragments(lod):
                finer = {(lod - 1, found) for found in finer_blocks(plan, lod, index)}
                assert is_renamed == bool(finer & renamed)
            if is_renamed:
                renamed.add((lod, index))
