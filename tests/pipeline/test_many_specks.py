"""A label that consists of many specks keeps the volume that they would keep with a label each."""

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import listed, planned
from snakemesh.boxes import indices
from snakemesh.fragments.container import opened, section_of
from snakemesh.mesh.block import make_block
from snakemesh.plan.jobs import mesh_block_job

CELL, SIDE, SPACING = 32, 64, 12


def balls(radius):
    """Labels 1 to 125 for balls on a grid, at random places in the voxels."""
    rng = np.random.default_rng(int(10 * radius))
    axis = np.arange(8, SIDE, SPACING)
    middles = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    middles = middles + rng.uniform(-1, 1, middles.shape)
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint32)
    z, y, x = np.ogrid[:SIDE, :SIDE, :SIDE]
    for label, middle in enumerate(middles, start=1):
        squares = [(n + 0.5 - m) ** 2 for n, m in zip((z, y, x), middle, strict=True)]
        labels[sum(squares) <= radius**2] = label
    return labels


def meshed(labels, folder):
    """The volume of all meshes, in voxels, and their faces, at LOD 0 in 8 blocks."""
    folder.mkdir()
    written = Placed(labels, (8, 8, 8), (0, 0, 0), (CELL,) * 3)
    keys = {"input_path": str(write_zarr(folder / "volume.zarr", [written])), "num_lods": 1}
    plan = planned(keys | {"output_directory": str(folder), "cell_size": CELL})
    lists, blocks = listed(plan), indices(plan.blocks(0))
    volume = faces = 0
    for index in blocks:
        path = folder / "_".join(map(str, index))
        make_block(mesh_block_job(plan, 0, index, lists=lists), path)
        with opened(path) as container:
            for shard in container.table.entries["shard"].tolist():
                records = section_of(container, shard).records
                volume += records["volume"].sum() / 8**3
                faces += records["faces"].sum()
    return volume, faces


@pytest.mark.parametrize(("radius", "least"), [(1.2, 0.93), (1.6, 0.97), (2.5, 0.99), (4, 0.99)])
def test_specks_of_one_label_keep_what_they_keep_with_a_label_each(tmp_path, radius, least):
    """As one surface, they share few faces and one push: at 1.6, two thirds would be left."""
    labels = balls(radius)
    n_voxels = np.count_nonzero(labels)
    each, faces_each = meshed(labels, tmp_path / "each")
    one, faces = meshed((labels > 0).astype(np.uint32), tmp_path / "one")
    assert least < one / n_voxels < 1.02
    assert one == pytest.approx(each, rel=0.01)
    if radius < 2.9:  # at most 100 voxels
        assert faces == faces_each


def test_specks_beside_a_large_body_of_their_label(tmp_path):
    """The push that the large body needs is nearly none."""
    labels = balls(1.6) > 0
    middle = slice(14, 50)
    labels[middle, middle, middle] = False
    n_specks = np.count_nonzero(labels)
    body = np.zeros_like(labels)
    body[16:48, 16:48, 16:48] = True
    alone, _ = meshed(body.astype(np.uint32), tmp_path / "alone")
    both, _ = meshed((labels | body).astype(np.uint32), tmp_path / "both")
    assert both - alone == pytest.approx(n_specks, rel=0.03)
