import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.boxes import ceil_div
from snakemesh.plan.blocks import (
    MAX_BLOCK_VOXELS,
    MIN_BLOCKS,
    MIN_SUPER_CHUNK_VOXELS,
    TILE_VOXELS,
    WORTHWHILE_VOXELS,
    block_cells,
    tile_cells,
    worthwhile_super_chunk,
)
from volumes import plan_of, volume

CELLS = [(n,) * 3 for n in (32, 64, 128, 256, 512, 1024)] + [(64, 32, 16)]
ONE = (1, 1, 1)


def voxels(cells, cell, shape):
    return [min(n * c, end) for n, c, end in zip(cells, cell, shape, strict=True)]


@st.composite
def lods(draw):
    """What `block_cells` takes: cells, voxels of a cell and shape of the level."""
    cell = draw(st.sampled_from(CELLS))
    shape = draw(st.tuples(*[st.integers(1, 5000)] * 3))
    return ceil_div(shape, cell), cell, shape


@given(lods(), st.integers(0, 12))
def test_blocks_are_neither_too_large_nor_too_small(lod, growth):
    n_cells, cell, shape = lod
    block = block_cells(*lod, growth)
    assert all(1 <= b <= n for b, n in zip(block, n_cells, strict=True))
    n_blocks = math.prod(ceil_div(n_cells, block))
    largest = math.prod(voxels(block, cell, shape))
    assert block == ONE or largest <= MAX_BLOCK_VOXELS << growth
    if n_blocks < MIN_BLOCKS:
        assert block == ONE or math.prod(shape) / n_blocks <= WORTHWHILE_VOXELS << growth


@given(st.sampled_from(CELLS), st.tuples(*[st.sampled_from([1, 2, 4, 8, 16])] * 3))
def test_no_block_is_halved_without_need(cell, n_cells):
    shape = tuple(n * c for n, c in zip(n_cells, cell, strict=True))
    block = block_cells(n_cells, cell, shape, 0)
    before_it = 2 * math.prod(voxels(block, cell, shape))
    if block != n_cells:
        n_blocks = math.prod(shape) // before_it
        was_one_of_few = n_blocks < MIN_BLOCKS and before_it > WORTHWHILE_VOXELS
        assert before_it > MAX_BLOCK_VOXELS or was_one_of_few


@given(lods(), st.integers(0, 12))
def test_growth_makes_no_block_smaller(lod, growth):
    smaller, larger = (block_cells(*lod, g) for g in (growth, growth + 1))
    assert all(s <= g for s, g in zip(smaller, larger, strict=True))


@given(lods())
def test_blocks_are_as_cubic_as_their_cells_allow(lod):
    """No axis that could be halved is more than twice as long as one that was."""
    n_cells, cell, shape = lod
    block = block_cells(*lod, 0)
    length = voxels(block, cell, shape)
    halved = [a for a in range(3) if block[a] < n_cells[a]]
    whole = [a for a in range(3) if block[a] > 1]
    for one in halved:
        assert all(length[other] <= 2 * length[one] for other in whole)


@given(lods(), st.integers(0, 12))
def test_tiles_are_as_large_as_memory_allows(lod, growth):
    _, cell, shape = lod
    block = block_cells(*lod, growth)
    tile = tile_cells(block, cell, shape)
    assert all(1 <= t <= b for t, b in zip(tile, block, strict=True))
    assert tile == ONE or math.prod(voxels(tile, cell, shape)) <= TILE_VOXELS
    if math.prod(voxels(block, cell, shape)) <= TILE_VOXELS:
        assert tile == block


@pytest.mark.parametrize(
    ("shape", "cell_size", "blocks"),
    [
        # no more than a start is worth
        ((181, 155, 143), 64, [1, 1, 1, 1]),
        ((100, 100, 100), 32, [1, 1, 1, 1]),
        # a few, whatever the cells
        ((256, 256, 256), 64, [4, 1, 1, 1]),
        ((256, 256, 256), 32, [4, 1, 1, 1]),
        # all with as many voxels as a default cell
        ((512, 512, 512), 64, [8, 4, 1, 1]),
        ((512, 512, 512), 256, [8, 1, 1, 1]),
        ((1024, 1024, 1024), 64, [64, 8, 4, 1]),
        ((1024, 1024, 1024), 256, [64, 8, 1, 1]),
        # cells that are larger are blocks
        ((2048, 2048, 2048), 512, [64, 8, 1, 1]),
    ],
)
def test_blocks_of_an_lod(shape, cell_size, blocks):
    plan = plan_of(volume(shape), cell_size=cell_size)
    assert [math.prod(plan.blocks(lod)) for lod in range(4)] == blocks


def test_blocks_and_tiles_of_a_large_volume():
    plan = plan_of(volume((32768,) * 3, chunks=(128, 128, 128)))
    assert plan.block_cells == ((4, 4, 8),) * 4
    assert plan.tile_cells == ((1, 2, 2),) * 4
    assert np.prod(plan.cell_voxels[0]) * 4 == TILE_VOXELS


@given(
    st.tuples(*[st.sampled_from([32, 64, 120, 256])] * 3), st.tuples(*[st.integers(1, 9000)] * 3)
)
def test_super_chunks_are_worth_a_job(least, shape):
    """They are `least`, doubled: enough voxels, or all of the base, and no more than is needed."""
    box = worthwhile_super_chunk(least, shape)
    doubled = [b // n for b, n in zip(box, least, strict=True)]
    assert all(d & (d - 1) == 0 and d * n == b for d, n, b in zip(doubled, least, box, strict=True))
    held = [min(b, n) for b, n in zip(box, shape, strict=True)]
    assert math.prod(held) >= MIN_SUPER_CHUNK_VOXELS or held == list(shape)
    if box != least:
        assert math.prod(held) < 2 * MIN_SUPER_CHUNK_VOXELS


@pytest.mark.parametrize(
    ("shape", "chunks", "jobs"),
    [
        ((160, 384, 320), (40, 96, 80), 1),  # the example
        ((256, 256, 256), (32, 32, 32), 1),
        ((512, 512, 512), (32, 32, 32), 8),
        ((512, 512, 512), (128, 128, 128), 1),
    ],
)
def test_super_chunks_of_small_volumes(shape, chunks, jobs):
    (stage,) = plan_of(volume(shape, chunks=chunks), num_lods=3).stages
    assert math.prod(stage.grid) == jobs
