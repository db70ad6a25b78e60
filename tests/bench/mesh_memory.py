"""What jobs that mesh blocks take and ask for, in volumes of several kinds: for bench_memory.py."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import worldarray as wa

from snakemesh.boxes import indices
from snakemesh.config.configuration import read_settings
from snakemesh.cost.resources import mesh_mem_mb
from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.jobs import mesh_block_job, super_chunk_job
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.pyramid.group import create_group
from snakemesh.pyramid.super_chunk import build_super_chunk
from snakemesh.survey.inputs import source_levels
from snakemesh.survey.sample import sample_of

# Layers that are drawn at a time
_LAYERS = 64


def lumps(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Cubes of 3 x 3 x 3 voxels side by side, each with a label of its own."""
    return (z // 3 * 4096 + y // 3) * 4096 + x // 3 + 1


def noise(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Single voxels of 1000 labels."""
    shape = np.broadcast_shapes(z.shape, y.shape, x.shape)
    return np.random.default_rng(int(z.flat[0])).integers(1, 1001, shape)


def organelles(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """An ellipsoid of 24 x 24 x 48 voxels in each cube of 96 x 96 x 96 voxels."""
    off = [np.abs(axis % 96 - 48) for axis in (z, y, x)]
    inside = off[0] ** 2 + off[1] ** 2 + (off[2] / 2) ** 2 < 12**2
    return inside * ((z // 96 * 64 + y // 96) * 64 + x // 96 + 1)


def body(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One ball that fills half of the volume."""
    n = x.size
    return ((z - n / 2) ** 2 + (y - n / 2) ** 2 + (x - n / 2) ** 2 < (0.48 * n) ** 2).astype(int)


def nothing(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Background, of which no chunk is stored."""
    return np.zeros(np.broadcast_shapes(z.shape, y.shape, x.shape), int)


DRAWN = {f.__name__: f for f in (lumps, noise, organelles, body, nothing)}


def drawn(folder: Path, kind: str, size: int) -> str:
    """Write a volume of one of the kinds in DRAWN, `size` voxels a side. Returns its path."""
    path = folder / f"{kind}.zarr"
    array = wa.create(
        str(path / "s0"),
        *((size,) * 3, "uint32", (8, 8, 8), (0, 0, 0)),
        axes=("z", "y", "x"),
        chunks=(64,) * 3,
        codecs="zstd",
        format="zarr2",
        separator="/",
    ).ts
    for begin in range(0, size, _LAYERS):
        z, y, x = np.ogrid[begin : min(begin + _LAYERS, size), :size, :size]
        labels = DRAWN[kind](z, y, x)
        if labels.any():
            array[begin : begin + len(labels)].write(labels.astype(np.uint32)).result()
    return str(path)


def bench_meshing(
    volume: str, cell_size: int, num_lods: int, peak_of: Callable[..., dict], snakemake_mb: int
) -> None:
    """Mesh every block of a volume, and print the largest job of each LOD.

    peak_of: calls a function with its arguments in a new process, and returns its peak in MB.
    snakemake_mb: what Snakemake takes beside a job.
    """
    with tempfile.TemporaryDirectory() as scratch:
        config = {"input_path": volume, "output_directory": f"{scratch}/output"}
        config |= {"num_lods": num_lods, "cell_size": cell_size}
        settings = read_settings(config)
        plan = make_plan(settings, source_levels(settings))
        plan = replace(plan, sample=sample_of(plan))
        if plan.needed_stages:
            create_group(pyramid_group(plan))
        for stage in plan.needed_stages:
            for index in indices(stage.grid):
                build_super_chunk(super_chunk_job(plan, stage, index))
        for lod in range(num_lods):
            found = list(_peaks(plan, lod, Path(scratch), peak_of))
            asked, peak = mesh_mem_mb(plan, lod), max(found)
            took = peak + snakemake_mb
            print(
                f"{Path(volume).stem}, cells of {cell_size}, LOD {lod}, {len(found)} blocks: asked "
                f"{asked}, took {took:.0f}, {asked / took:.2f}; the job's process {peak:.0f}",
                flush=True,
            )


def _peaks(plan: Plan, lod: int, folder: Path, peak_of: Callable[..., dict]) -> Iterator[float]:
    """The peaks of the jobs of an LOD, in MB."""

    def container(lod: int, index: tuple) -> Path:
        return folder / f"lod{lod}_{'_'.join(map(str, index))}"

    for index in indices(plan.blocks(lod)):
        finer = [str(container(lod - 1, i)) for i in finer_blocks(plan, lod, index)]
        job = mesh_block_job(plan, lod, index, containers=finer)
        yield peak_of("snakemesh.mesh.block", "make_block", job, container(lod, index))["peak"]
