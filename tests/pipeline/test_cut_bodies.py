"""Small bodies that the face between two blocks cuts keep their volume."""

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import listed, planned
from snakemesh.boxes import indices
from snakemesh.fragments.container import opened, section_of
from snakemesh.mesh.block import make_block
from snakemesh.plan.jobs import mesh_block_job

CELL, SIDE = 64, 128
NEIGHBOURS = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])


def grown(rng, n):
    """A random body of n voxels, (n, 3), that reaches to both sides of 0 along z."""
    while True:
        voxels = {(0, 0, 0)}
        while len(voxels) < n:
            start = sorted(voxels)[rng.integers(len(voxels))]
            voxel = np.array(start) + NEIGHBOURS[rng.integers(6)]
            if np.square(voxel).sum() <= (0.62 * n ** (1 / 3) + 1) ** 2:
                voxels.add(tuple(voxel.tolist()))
        found = np.array(sorted(voxels))
        if found[:, 0].max() > found[:, 0].min():
            found[:, 0] -= 1 + (found[:, 0].min() + found[:, 0].max()) // 2
            return found


def bodies(n):
    """A volume of such bodies, labels 1 to 81, at the face between the blocks along z."""
    rng = np.random.default_rng(n)
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint32)
    places = [(CELL, y, x) for y in range(10, 118, 12) for x in range(10, 118, 12)]
    for label, place in enumerate(places, start=1):
        labels[tuple((grown(rng, n) + place).T)] = label
    return labels


def volumes(plan, folder):
    """The volume of the mesh of each label, in voxels, and in how many blocks it is."""
    sums, counts = np.zeros(82), np.zeros(82, int)
    lists = listed(plan)
    for index in indices(plan.blocks(0)):
        path = folder / "_".join(map(str, index))
        make_block(mesh_block_job(plan, 0, index, lists=lists), path)
        with opened(path) as container:
            for shard in container.table.entries["shard"].tolist():
                records = section_of(container, shard).records
                np.add.at(sums, records["label"].astype(int), records["volume"] / 8**3)
                np.add.at(counts, records["label"].astype(int), 1)
    return sums[1:], counts[1:]


@pytest.mark.parametrize(("n", "least"), [(4, 0.8), (8, 0.85), (20, 0.9), (50, 0.95), (100, 0.97)])
def test_a_small_body_that_is_cut_keeps_its_volume(tmp_path, n, least):
    """Its halves were pyramids once, and those of 8 voxels had an eighth of their volume."""
    path = write_zarr(
        tmp_path / "volume.zarr", [Placed(bodies(n), (8, 8, 8), (0, 0, 0), (64,) * 3)]
    )
    keys = {"input_path": str(path), "output_directory": str(tmp_path), "num_lods": 1}
    found, n_blocks = volumes(planned(keys | {"cell_size": CELL}), tmp_path)
    assert (n_blocks >= 2).all()
    assert least < np.median(found / n) < 1.03
