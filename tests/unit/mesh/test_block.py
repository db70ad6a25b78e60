from dataclasses import replace

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import listed
from small_blocks import small_blocks
from snakemesh.boxes import box_name, indices
from snakemesh.config.configuration import read_settings
from snakemesh.errors import UserError
from snakemesh.fragments.container import read_section
from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.fragments.payload import payload_blocks
from snakemesh.halo import halo_voxels
from snakemesh.mesh.block import mesh_block
from snakemesh.plan.jobs import mesh_block_job
from snakemesh.plan.plan import make_plan
from snakemesh.source.read import read_source
from surfaces import assert_sound, decoded, noise, open_edges, solid, voronoi

VOXEL_NM = (16, 8, 8)
CORNER_NM = (80, -40, 0)
FACTOR = (1, 2, 2)


def write_levels(path, *levels):
    """Write an OME-NGFF group of levels (z y x), each FACTOR times coarser than the one before."""
    sizes = [np.multiply(VOXEL_NM, np.power(FACTOR, k)).tolist() for k in range(len(levels))]
    placed = zip(levels, sizes, strict=True)
    write_zarr(path, [Placed(labels, size, CORNER_NM, (32, 32, 32)) for labels, size in placed])


def plan_of(tmp_path, *levels, **config):
    """The plan of a volume of these levels. Blocks are cells, of 32 voxels by default."""
    path = tmp_path / "volume.zarr"
    if not path.exists():
        path.mkdir()
        write_levels(path, *levels)
    config = {"num_lods": len(levels), "cell_size": 32} | config
    settings = read_settings(
        {"input_path": str(path), "output_directory": str(tmp_path / "out"), **config}
    )
    with small_blocks():
        return make_plan(settings, read_source(settings.input_path, settings.voxel_size_nm))


def read_container(path, sharding):
    """The LOD of a container, and the records and Draco bytes of all its shards."""
    sections, blobs = [], []
    for shard in range(sharding.num_shards):
        section = read_section(path, shard)
        sections.append(section.records)
        for first, last, data in payload_blocks(section):
            sizes = section.records["size"][first:last]
            blobs += [bytes(data[e - n : e]) for e, n in zip(np.cumsum(sizes), sizes, strict=True)]
    return section.lod, np.concatenate(sections), blobs


def meshed(tmp_path, plan, lod, **changes):
    """Records and Draco bytes of all blocks of an LOD. changes: fields of their jobs."""
    all_records, all_blobs = [], []
    for index in indices(plan.blocks(lod)):
        job = replace(mesh_block_job(plan, lod, index, lists=listed(plan)), **changes)
        path = tmp_path / "containers" / f"{box_name(index)}.0.fragments"
        stats = mesh_block(job, path)
        written_lod, records, blobs = read_container(path, job.sharding)
        assert written_lod == lod
        assert stats.fragments == len(records) == len(blobs)
        assert stats.faces == records["faces"].sum() <= stats.dense_faces
        assert stats.payload_bytes == sum(map(len, blobs))
        first = np.array(job.first_cell[::-1])
        assert (records["cell"] >= first).all()
        assert (records["cell"] < first + job.n_cells[::-1]).all()
        all_records.append(records)
        all_blobs += blobs
    records = np.concatenate(all_records)
    assert_sound(records, all_blobs, lod)
    return records, all_blobs


def nm_per_step(plan, lod):
    return np.array(plan.grid.cell_nm) * 2**lod / CELL_STEPS


# -- whole volumes ------------------------------------------------------------------------------


@pytest.mark.parametrize("lod", [0, 1])
@pytest.mark.parametrize("roi", [None, [[240, 24, 40], [1000, 600, 568]]])
def test_blocks_give_closed_surfaces_that_hold_their_voxels(tmp_path, lod, roi):
    labels = voronoi((68, 86, 75), 25, 3, VOXEL_NM)
    plan = plan_of(tmp_path, labels, labels[:, ::2, ::2], roi=roi)
    assert not plan.stages and len(list(indices(plan.blocks(lod)))) > 1
    records, blobs = meshed(tmp_path, plan, lod)
    level = plan.levels[lod]
    part = labels[:, ::2, ::2] if lod else labels
    part = part[tuple(slice(o, o + n) for o, n in zip(level.origin, level.shape, strict=True))]
    # in voxels of s0, of which the volume has no more
    for axis, factor in enumerate(level.factor):
        part = part.repeat(factor, axis).take(range(plan.levels[0].shape[axis]), axis)
    ids, counts = np.unique(part[part > 0], return_counts=True)
    found = decoded(records, blobs)
    assert sorted(found) == ids.tolist()
    ratios = []
    for label, count in zip(ids.tolist(), counts.tolist(), strict=True):
        assert len(open_edges(found[label])) == 0
        surface = solid(found[label], nm_per_step(plan, lod))
        ratios.append(surface.volume / (count * np.prod(VOXEL_NM)))
        centre = plan.grid.origin_nm + surface.center_mass
        at = (np.argwhere(part == label).mean(axis=0) + 0.5) * VOXEL_NM + plan.grid.origin_nm[::-1]
        if count > 500 * np.prod(level.factor):
            np.testing.assert_allclose(centre, at[::-1], atol=0.3 * max(level.voxel_size))
    assert np.median(ratios) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("labels_of", [noise, voronoi])
def test_a_block_in_tiles_is_as_closed_as_in_one(tmp_path, labels_of):
    labels = labels_of((36, 40, 34), 4, 0)
    plan = plan_of(tmp_path, labels, n_smoothing_iter=1)
    whole = {"first_cell": (0, 0, 0), "n_cells": (2, 2, 2)}
    job = mesh_block_job(plan, 0, (0, 0, 0))
    volumes = []
    for tile_cells in ((1, 1, 1), (2, 1, 2), (2, 2, 4)):
        path = tmp_path / "container"
        mesh_block(replace(job, **whole, tile_cells=tile_cells), path)
        _, records, blobs = read_container(path, job.sharding)
        assert_sound(records, blobs, 0)
        found = decoded(records, blobs)
        assert sorted(found) == np.unique(labels[labels > 0]).tolist()
        assert all(len(open_edges(triangles)) == 0 for triangles in found.values())
        volumes.append([records["volume"][records["label"] == label].sum() for label in found])
    if labels_of is voronoi:  # the volume of simplified noise depends on where it was cut
        # thin parts beside a seam may not be pushed as far as they should
        np.testing.assert_allclose(volumes[:2], [volumes[2]] * 2, rtol=1e-2)


# -- which labels -------------------------------------------------------------------------------


def test_only_what_is_wanted(tmp_path):
    labels = noise((20, 33, 20), 6, 1).astype(np.uint8)
    for name in ("all", "some"):
        (tmp_path / name).mkdir()
    some = np.where(np.isin(labels, (2, 5)), labels, 0).astype(np.uint8)
    expected, expected_blobs = meshed(tmp_path, plan_of(tmp_path / "some", some), 0)
    excluded = sorted({*np.unique(labels).tolist()} - {0, 2, 5})
    for lists in (
        {"target_ids": [250, 5, 2]},
        {"target_ids": [2, 5, *excluded], "exclude_ids": [250, *excluded]},
        {"exclude_ids": excluded},
    ):
        records, blobs = meshed(tmp_path, plan_of(tmp_path / "all", labels, **lists), 0)
        assert set(records["label"].tolist()) == {2, 5}
        np.testing.assert_array_equal(records, expected)
        assert blobs == expected_blobs


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i4", "i8"])
def test_labels_of_every_type(tmp_path, dtype):
    labels = np.zeros((12, 12, 12), dtype)
    largest = np.iinfo(dtype).max
    labels[2:8, 2:8, 2:8] = largest
    records, _ = meshed(tmp_path, plan_of(tmp_path, labels), 0)
    assert records["label"].tolist() == [largest]


def test_negative_labels_are_refused(tmp_path):
    labels = np.full((12, 12, 12), -1, np.int32)
    plan = plan_of(tmp_path, labels)
    with pytest.raises(UserError, match="background: found label -1"):
        mesh_block(mesh_block_job(plan, 0, (0, 0, 0)), tmp_path / "container")
    assert not (tmp_path / "container").exists()


def test_a_block_of_background(tmp_path):
    plan = plan_of(tmp_path, np.zeros((40, 12, 12), np.uint16))
    job = mesh_block_job(plan, 0, (1, 0, 0))
    stats = mesh_block(job, tmp_path / "container")
    assert stats.fragments == stats.faces == stats.dense_faces == stats.payload_bytes == 0
    assert stats.voxels == (8 + halo_voxels(5)) * 12 * 12
    assert len(read_container(tmp_path / "container", job.sharding)[1]) == 0
