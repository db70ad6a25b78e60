"""A label whose thin part exists only at LOD 0, from its voxels to its manifest.

The viewer descends from the coarsest cells. A parent is empty if the label lost the vote there. Its
children are reached only if the manifest lists the parent all the same.
"""

import numpy as np
import pytest
import worldarray as wa
import zarr

from small_blocks import small_blocks, small_lods
from snakemesh.boxes import indices
from snakemesh.mesh.block import mesh_block
from snakemesh.multires.documents import multires_info, write_json
from snakemesh.multires.shard import write_shard
from snakemesh.output.folder import shard_name
from snakemesh.plan.jobs import mesh_block_job, super_chunk_job
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import make_plan
from snakemesh.pyramid.group import create_group
from snakemesh.pyramid.super_chunk import build_super_chunk
from snakemesh.source.read import read_source
from snakemesh.verify.reader import read_entries, read_mesh
from volumes import settings_with


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """The mesh of label 5: a cube with a rod that is one voxel wide and missing at s1."""
    folder = tmp_path_factory.mktemp("lost")
    labels = np.zeros((64, 64, 256), np.uint32)
    labels[4:60, 4:60, 4:60] = 5
    labels[32, 32, 60:250] = 5
    source = wa.create(
        f"{folder}/seg.zarr/s0",
        *(labels.shape, "uint32", (8, 8, 8), (4, 4, 4)),
        axes=("z", "y", "x"),
        chunks=(64, 64, 64),
        format="zarr2",
    )
    source.ts.write(labels).result()
    settings = settings_with(
        input_path=f"{folder}/seg.zarr",
        output_directory=f"{folder}/out",
        num_lods=3,
        cell_size=32,
        n_smoothing_iter=0,
        target_reduction=0.0,
        decimation_factor=4,
    )
    with small_blocks():
        plan = make_plan(settings, read_source(settings.input_path))
    create_group(pyramid_group(plan))
    for stage in plan.stages:
        for index in indices(stage.grid):
            build_super_chunk(super_chunk_job(plan, stage, index))
    containers = []
    for lod in range(plan.num_lods):
        for index in indices(plan.blocks(lod)):
            containers.append(folder / f"{lod}_{'_'.join(map(str, index))}.fragments")
            mesh_block(mesh_block_job(plan, lod, index), containers[-1])
    multires = folder / "multires"
    multires.mkdir()
    path = multires / f"{shard_name(0, plan.sharding)}.shard"
    with small_lods():
        write_shard(path, 0, list(map(str, containers)), plan.grid, plan.sharding)
    info = multires_info(plan.sharding, plan.grid.scale_nm, plan.grid.base_nm)
    write_json(multires / "info", info)
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
