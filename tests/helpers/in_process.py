"""A whole run in this process: the jobs of a plan, one after another, without Snakemake."""

from pathlib import Path

import numpy as np
import worldarray as wa

from small_blocks import small_blocks, small_lods
from snakemesh.boxes import Index, indices
from snakemesh.config.configuration import read_settings
from snakemesh.label_list import LabelLists
from snakemesh.mesh.block import make_block
from snakemesh.multires.counts import counts_and_contacts
from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.multires.shard import write_shard
from snakemesh.output.folder import shard_name
from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.jobs import mesh_block_job, super_chunk_job
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.pyramid.group import create_group
from snakemesh.pyramid.super_chunk import build_super_chunk
from snakemesh.source.open_array import open_stored
from snakemesh.survey.good_levels import unfit_levels
from snakemesh.survey.inputs import source_levels
from snakemesh.survey.label_lists import label_files, read_lists, write_lists
from snakemesh.tables.properties import NO_PROPERTIES
from snakemesh.tables.segments import write_segments


def planned(config: dict) -> Plan:
    """The plan of a configuration, with small blocks."""
    settings = read_settings(config)
    levels = source_levels(settings)
    with small_blocks():
        return make_plan(settings, levels, mismatches=unfit_levels(settings, levels))


def build_pyramid(plan: Plan) -> None:
    """Build every level that is missing."""
    if plan.stages:
        create_group(pyramid_group(plan))
    for stage in plan.stages:
        for index in indices(stage.grid):
            build_super_chunk(super_chunk_job(plan, stage, index))


def listed(plan: Plan) -> LabelLists:
    """The lists of labels of a plan, in their files."""
    lists = read_lists(plan.settings, plan.dtype)
    files = label_files(plan, lists)
    write_lists(files, lists)
    return files


def mesh(plan: Plan) -> Path:
    """Mesh a plan whose levels all exist. Returns the `multires` folder."""
    output = Path(plan.settings.output_directory)
    lists = listed(plan)
    containers = []

    def container(lod: int, index: Index) -> str:
        return str(output / "work" / f"lod{lod}_{'_'.join(map(str, index))}")

    for lod in range(plan.num_lods):
        for index in indices(plan.blocks(lod)):
            finer = [container(lod - 1, i) for i in finer_blocks(plan, lod, index)]
            job = mesh_block_job(plan, lod, index, lists=lists, containers=finer)
            make_block(job, Path(container(lod, index)))
            containers.append(container(lod, index))
    multires = output / "multires"
    summaries = []
    for number in range(plan.sharding.num_shards):
        path = multires / f"{shard_name(number, plan.sharding)}.shard"
        path.parent.mkdir(parents=True, exist_ok=True)
        counts = counts_and_contacts(containers, number)[0]
        arguments = (plan.grid, plan.sharding, counts, plan.settings.min_voxels)
        with small_lods():
            summaries.append(write_shard(path, number, containers, *arguments).summary)
    rows = np.sort(np.concatenate(summaries), order="label")
    write_json(multires / "segment_properties" / "info", segment_properties(rows, len(rows)))
    info = multires_info(plan.sharding, plan.grid.scale_nm, plan.grid.base_nm)
    write_json(multires / "info", info)
    write_segments(multires / "segments.parquet", [rows] if len(rows) else [], NO_PROPERTIES)
    return multires


def level_labels(plan: Plan, level: int) -> np.ndarray:
    """All voxels of the array that holds a level."""
    chosen = plan.levels[level]
    if chosen.stored is not None:
        return open_stored(chosen.stored).read().result()
    return wa.open_tensorstore(chosen.path).read().result()


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder and its subfolders, by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def whole_run(config: dict) -> tuple[Plan, dict[str, bytes]]:
    """The plan of a whole run, and the bytes of all files that are served."""
    plan = planned(config)
    build_pyramid(plan)
    return plan, files(mesh(plan))
