"""Blocks that are meshed by one job: what an attempt has finished, the next one takes."""

from dataclasses import replace
from unittest import mock

import pytest
from test_block import plan_of

from damaging import flip
from snakemesh import forks
from snakemesh.boxes import box_name, indices
from snakemesh.fragments.soundness import is_sound
from snakemesh.mesh import together
from snakemesh.mesh.block import BlockStats, make_block
from snakemesh.mesh.together import mesh_together
from snakemesh.plan.jobs import mesh_block_job
from surfaces import voronoi


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    labels = voronoi((40, 64, 64), 12, seed=0)
    return plan_of(tmp_path_factory.mktemp("together"), labels, labels[:, ::2, ::2])


def blocks_of(plan, folder):
    return [
        (mesh_block_job(plan, lod, index), folder / f"lod{lod}" / f"{box_name(index)}.0.fragments")
        for lod in range(plan.num_lods)
        for index in indices(plan.blocks(lod))
    ]


def bytes_of(blocks):
    return [path.read_bytes() for _, path in blocks]


def test_the_containers_are_those_of_single_jobs(plan, tmp_path):
    alone, blocks = blocks_of(plan, tmp_path / "alone"), blocks_of(plan, tmp_path / "together")
    stats = sum((make_block(*block) for block in alone), BlockStats())
    assert mesh_together(blocks, 1) == stats
    assert bytes_of(blocks) == bytes_of(alone)
    assert all(is_sound(path) for _, path in blocks)
    names = {path for folder in (tmp_path / "together").iterdir() for path in folder.iterdir()}
    assert names == {path for _, path in blocks}


@pytest.mark.parametrize("damage", [None, 7, -1], ids=["sound", "header", "payload"])
def test_finished_blocks_are_taken_if_they_are_sound(plan, tmp_path, damage):
    """Snakemake removes the outputs of a job that fails; what the job itself keeps stays."""
    blocks = blocks_of(plan, tmp_path)
    done = []

    def failing(job, container, processes):
        if len(done) == 3:
            raise OSError("no space")
        done.append(container)
        return make_block(job, container, processes)

    with mock.patch.object(together, "make_block", failing), pytest.raises(OSError, match="space"):
        mesh_together(blocks, 1)
    assert len(list(tmp_path.rglob("*.fragments"))) == 3
    for _, container in blocks:
        container.unlink(missing_ok=True)
    if damage is not None:
        flip(done[1], damage)
    with mock.patch.object(together, "make_block", side_effect=make_block) as again:
        mesh_together(blocks, 1)
    assert again.call_count == len(blocks) - 3 + (damage is not None)
    alone = blocks_of(plan, tmp_path / "alone")
    mesh_together(alone, 1)
    assert bytes_of(blocks) == bytes_of(alone)
    assert not list(tmp_path.rglob("*.finished"))


def test_any_number_of_processes_makes_the_same_bytes(tmp_path, monkeypatch):
    """Processes share the octants of a cell and its fragments, or, if there are more, the cells."""
    # threads of other tests hold no lock that matters here
    monkeypatch.setattr(forks, "has_one_thread", lambda: True)
    labels = voronoi((64, 64, 96), 12, seed=0)
    plan = plan_of(tmp_path, labels, num_lods=2, voxel_size_nm=[8, 8, 8], multires_strategy="auto")
    containers = {index: tmp_path / box_name(index) for index in indices(plan.blocks(0))}
    for index, container in containers.items():
        make_block(mesh_block_job(plan, 0, index), container)
    job = mesh_block_job(plan, 1, (0, 0, 0), containers=[str(path) for path in containers.values()])
    made = []
    for cells in ((1, 1, 1), (1, 1, 2)):
        for processes in (1, 2, 5):
            path = tmp_path / f"{cells[2]}_{processes}.0.fragments"
            make_block(replace(job, n_cells=cells), path, processes)
            made.append(path.read_bytes())
    assert made[0] == made[1] == made[2] != made[3] == made[4] == made[5]
