#!/usr/bin/env python3
"""What a voxel costs inside a larger volume, where blocks have neighbours on all sides.

usage: python tests/bench/bench_larger.py VOLUME.zarr [--every N] [--dtype uint64] [--rounds 3]

VOLUME has an array s0 of n^3 voxels, and n is a multiple of 256. The larger volume has (2 n)^3:
VOLUME and its mirror images, so bodies go on at the faces between them. Eight copies side by side
would not do, because all bodies would end at the faces of cells there. The blocks of VOLUME and
those of the same part of the larger volume are made in one process, in cells of 256 and LODs 0
and 1. CPU seconds, the least of the rounds. --every: keep every Nth label, as a sparse volume.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from by_hand import ome_group, scale
from in_process import listed
from snakemesh.boxes import Index, indices
from snakemesh.config.configuration import read_settings
from snakemesh.mesh.block import make_block
from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.jobs import mesh_block_job
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.survey.inputs import source_levels

CELL = 256


def write(path: Path, labels: np.ndarray) -> Path:
    """Write an OME-Zarr group with only s0, in chunks of 128 voxels on a side. z y x."""
    zarr.create_array(path / "s0", data=labels, chunks=(128,) * 3, zarr_format=2)
    ome_group(path, {"s0": [scale(40, 32, 32)]})
    return path


def mirrored(labels: np.ndarray) -> np.ndarray:
    """Labels and their mirror image, along each axis."""
    for axis in range(3):
        labels = np.concatenate([labels, np.flip(labels, axis)], axis)
    return labels


def cpu_seconds(plan: Plan, n_cells: int, folder: Path) -> list[float]:
    """CPU seconds for the blocks of LOD 0 and of LOD 1 that begin in the first cells of LOD 0."""
    seconds = []
    lists = listed(plan)

    def container(lod: int, index: Index) -> Path:
        return folder / f"lod{lod}_{'_'.join(map(str, index))}"

    for lod in range(2):
        begun = time.process_time()
        for index in indices((n_cells >> lod,) * 3):
            finer = [str(container(lod - 1, i)) for i in finer_blocks(plan, lod, index)]
            job = mesh_block_job(plan, lod, index, lists=lists, containers=finer)
            make_block(job, container(lod, index))
        seconds.append(time.process_time() - begun)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volume", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--dtype", default="uint64")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    labels = zarr.open_array(args.volume / "s0", mode="r")[...].astype(args.dtype)
    labels[labels % args.every != 0] = 0
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        volumes = [write(folder / "one.zarr", labels)]
        volumes.append(write(folder / "larger.zarr", mirrored(labels)))
        n_cells = labels.shape[0] // CELL
        del labels
        for round_ in range(args.rounds):
            for volume in volumes:
                keys = {
                    "input_path": str(volume),
                    "output_directory": f"{folder}/{volume.stem}{round_}",
                }
                settings = read_settings(keys | {"num_lods": 2, "cell_size": CELL})
                plan = make_plan(settings, source_levels(settings))
                found.append(cpu_seconds(plan, n_cells, Path(settings.output_directory) / "work"))
    seconds = np.array(found).reshape(args.rounds, 2, 2).min(axis=0)
    print("           alone   in the larger volume   ratio")
    for lod in range(2):
        alone, inside = seconds[:, lod]
        print(f"LOD {lod} {alone:10.2f} {inside:22.2f} {inside / alone:7.2f}")


if __name__ == "__main__":
    main()
