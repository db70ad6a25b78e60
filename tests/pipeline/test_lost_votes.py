"""A label whose thin part exists only at LOD 0, from its voxels to its manifest.

The viewer descends from the coarsest cells. A parent is empty if the label lost the vote there. Its
children are reached only if the manifest lists the parent all the same.
"""

import numpy as np
import pytest
import zarr

import in_process
from formats import Placed, write_zarr
from snakemesh.verify.reader import read_entries, read_mesh


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """The mesh of label 5: a cube with a rod that is one voxel wide and missing at s1."""
    folder = tmp_path_factory.mktemp("lost")
    labels = np.zeros((64, 64, 256), np.uint32)
    labels[4:60, 4:60, 4:60] = 5
    labels[32, 32, 60:250] = 5
    volume = Placed(labels, (8, 8, 8), (0, 0, 0), (64, 64, 64))
    config = {
        "input_path": write_zarr(folder / "seg.zarr", [volume]),
        "output_directory": str(folder / "out"),
        "num_lods": 3,
        "cell_size": 32,
        "multires_strategy": "downsample",
        "n_smoothing_iter": 0,
        "target_reduction": 0.0,
        "decimation_factor": 4,
    }
    plan = in_process.planned(config)
    in_process.build_pyramid(plan)
    multires = in_process.mesh(plan)
    assert not zarr.open_array(f"{plan.pyramid_path}/s1", mode="r")[:, :, 32:].any()
    return read_mesh(read_entries(multires)[5])


def test_leaves_without_geometry_above_them_have_all_their_ancestors(mesh):
    assert mesh.num_lods == 3
    leaves = {tuple(f.cell) for f in mesh.fragments[0]}
    assert max(x for x, _, _ in leaves) == 7  # the end of the rod, in the last of eight cells
    for lod in (1, 2):
        full = {tuple(f.cell) for f in mesh.fragments[lod]}
        there = set(map(tuple, mesh.manifest.cells[lod].tolist()))
        ancestors = {tuple(c >> lod for c in leaf) for leaf in leaves}
        assert ancestors <= there
        assert ancestors - full, "the vote was not lost"
        assert full <= there
