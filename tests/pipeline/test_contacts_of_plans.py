"""Contacts are those of the voxels that are meshed, whatever the blocks of the plan are."""

import math

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import build_pyramid, mesh, planned
from snakemesh.multires.contacts import pairs_that_touch
from snakemesh.multires.counts import counts_and_contacts
from snakemesh.plan.jobs import shard_job
from surfaces import voronoi
from touching import patches

SHAPE, VOXEL_NM = (90, 50, 70), (16, 8, 8)
LABELS = voronoi(SHAPE, 30, 5)
LABELS[LABELS == 0] = 31
LABELS[20:23] = 0
EXCLUDED = [3, 4, 5]
# keys of the configuration, and the labels that are left
CASES = {
    "all": ({}, LABELS),
    "some left out": ({"exclude_ids": EXCLUDED}, np.where(np.isin(LABELS, EXCLUDED), 0, LABELS)),
    "with background": ({"contacts": "background"}, LABELS),
    "a part": ({"roi": [[160, 0, 80], [1120, 320, 400]]}, LABELS),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "seg"
    return write_zarr(path, [Placed(LABELS, VOXEL_NM, (8, 4, 4), (32, 32, 32))])


def pairs_of_plan(source, output, **keys):
    """A plan with blocks as small as can be, and TOUCHING from its containers."""
    config = {"input_path": source, "output_directory": str(output), "num_lods": 1} | keys
    plan = planned(config)
    build_pyramid(plan)
    mesh(plan)
    containers = sorted(map(str, output.glob("work/lod0_*")))
    _, contacts = counts_and_contacts(containers, 0)
    return plan, pairs_that_touch(contacts, plan.grid.origin_nm, shard_job(plan).voxel_nm)


@pytest.mark.parametrize("case", CASES)
def test_blocks_make_no_difference(source, tmp_path, case):
    keys, labels = CASES[case]
    found, blocks = {}, {}
    for cell_size in (32, 64, 128):
        output = tmp_path / str(cell_size)
        plan, found[cell_size] = pairs_of_plan(source, output, cell_size=cell_size, **keys)
        blocks[cell_size] = math.prod(plan.blocks(0))
    assert blocks[32] > blocks[128] == 1
    whole = found[128]
    assert all(np.array_equal(pairs, whole) for pairs in found.values())
    meshed = labels[tuple(map(slice, plan.begin, plan.end))]
    assert (meshed.shape < SHAPE) == (case == "a part")
    expected = patches(meshed, case == "with background")
    counts = {pair: (len(p), sum(map(len, p))) for pair, p in expected.items()}
    rows = whole[["label", "other", "patches", "faces"]].tolist()
    assert {(a, b): of_pair for a, b, *of_pair in rows} == {k: list(v) for k, v in counts.items()}
