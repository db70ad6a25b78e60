"""Peak memory of jobs against what they ask for, and times of empty jobs and of removal.

python tests/bench/bench_memory.py [--size 1024]
python tests/bench/bench_memory.py --meshing lumps [--cell-size 64]
python tests/bench/bench_memory.py --meshing VOLUME

A job must stay below its estimate. The estimate of a pyramid job may be three times what the job
takes, that of a job that meshes 1.5 times in tissue and in lumps of 3 voxels. On a cluster,
Snakemake runs beside the job and counts too; under Slurm there are two Snakemakes.
"""

import argparse
import importlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import worldarray as wa

from mesh_memory import DRAWN, bench_meshing, drawn
from peak_memory import peak_mb
from snakemesh.config.configuration import read_settings
from snakemesh.cost.resources import resources_of
from snakemesh.output import remove
from snakemesh.plan.jobs import super_chunk_job
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.pyramid.group import create_group
from snakemesh.source.read import read_source

SNAKEMAKE_MB = 2 * 124  # memory that the two Snakemakes do not share
FILES = 100_000


def plan_of(folder: Path, shape: tuple, chunks: tuple, dtype: str, empty: bool = False) -> Plan:
    """Write a volume of lumps of labels, or an empty one. Returns its plan."""
    array = wa.create(
        str(folder / "v.zarr/s0"),
        *(shape, dtype, (8, 8, 8), (0, 0, 0)),
        axes=("z", "y", "x"),
        chunks=chunks,
        codecs="zstd",
        format="zarr2",
        separator="/",
    ).ts
    rng = np.random.default_rng(0)
    for z in () if empty else range(0, shape[0], 256):
        lumps = rng.integers(0, 200, [32, *(n // 8 for n in shape[1:])]).astype(dtype)
        for axis in range(3):
            lumps = np.repeat(lumps, 8, axis=axis)
        lumps = lumps[: shape[0] - z]
        array[tuple(slice(b, b + n) for b, n in zip((z, 0, 0), lumps.shape, strict=True))].write(
            lumps
        ).result()
    config = {"input_path": str(folder / "v.zarr"), "output_directory": str(folder / "out")}
    config |= {"num_lods": 4, "max_jobs": 20_000 if empty else 100}
    plan = make_plan(read_settings(config), read_source(config["input_path"]))
    create_group(pyramid_group(plan))
    return plan


def first_super_chunk(plan: Plan) -> dict:
    """Run the first super-chunk in a new process. Returns its peak in MB and its seconds."""
    job = super_chunk_job(plan, plan.stages[0], (0, 0, 0))
    return in_process("snakemesh.pyramid.super_chunk", "build_super_chunk", job)


def in_process(module: str, function: str, *arguments: object) -> dict:
    """Call a function in a new process. Returns its peak in MB and its seconds."""
    job = pickle.dumps((module, function, arguments))
    command = [sys.executable, __file__, "--job"]
    # Snakemake sets this for a job of one thread
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, input=job, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def run_job() -> None:
    """Call what the measuring process sends on standard input, and print its figures."""
    module, function, arguments = pickle.load(sys.stdin.buffer)
    called = getattr(importlib.import_module(module), function)
    started = time.perf_counter()
    called(*arguments)
    print(json.dumps({"peak": peak_mb(), "seconds": time.perf_counter() - started}))


def bench_memory(size: int) -> None:
    """Print a row for each volume."""
    cases = [
        ((256,) * 3, (32,) * 3, "uint8"),
        ((512,) * 3, (64,) * 3, "uint32"),
        ((512,) * 3, (128,) * 3, "uint64"),
        ((512,) * 3, (256,) * 3, "uint64"),
        ((512,) * 3, (100,) * 3, "uint64"),
        ((512,) * 3, (250,) * 3, "uint64"),
        ((256, 2048, 2048), (1, 2048, 2048), "uint32"),
        ((size,) * 3, (128,) * 3, "uint64"),
    ]
    for shape, chunks, dtype in cases:
        with tempfile.TemporaryDirectory() as name:
            plan = plan_of(Path(name), shape, chunks, dtype)
            found = first_super_chunk(plan)
        wanted = resources_of(plan, "pyramid_super_chunk").mem_mb
        peak = found["peak"] + SNAKEMAKE_MB
        print(
            f"{shape} {dtype} in {chunks}: asked {wanted}, took {peak:.0f}, {wanted / peak:.2f}; "
            f"{wanted / found['peak']:.2f} of the job's process alone"
        )


def bench_sparse() -> None:
    """Print the time of an empty super-chunk of 4096^3 voxels, and of a full one."""
    seconds = []
    for shape, empty in (((4096,) * 3, True), ((512,) * 3, False)):
        with tempfile.TemporaryDirectory() as name:
            plan = plan_of(Path(name), shape, (64,) * 3, "uint64", empty)
            seconds.append(first_super_chunk(plan)["seconds"])
    print(
        f"empty super-chunk: {seconds[0]:.2f} s, {seconds[1] / seconds[0]:.1f} times less than full"
    )


def bench_removal() -> None:
    """Print the time to remove FILES files in 1000 folders, on one and on a run's threads."""
    for threads in (1, remove._THREADS):
        remove._THREADS = threads
        with tempfile.TemporaryDirectory() as name:
            root = Path(name) / "root"
            for folder in range(1000):
                (root / str(folder)).mkdir(parents=True)
                for file in range(FILES // 1000):
                    os.close(os.open(root / str(folder) / str(file), os.O_CREAT))
            started = time.perf_counter()
            remove.remove_tree(root)
            print(f"{FILES} files, {threads} threads: {time.perf_counter() - started:.1f} s")


def main() -> None:
    """Measure everything. With --job, only run the job of the measuring process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, help="voxels a side of the largest")
    parser.add_argument(
        "--meshing", metavar="WHAT", help=f"only mesh: {', '.join(DRAWN)}, or the path of a volume"
    )
    parser.add_argument("--side", type=int, default=256, help="voxels a side of what is meshed")
    parser.add_argument("--cell-size", type=int, default=256)
    parser.add_argument("--num-lods", type=int, default=1)
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        run_job()
    elif args.meshing:
        with tempfile.TemporaryDirectory() as name:
            is_drawn = args.meshing in DRAWN
            volume = drawn(Path(name), args.meshing, args.side) if is_drawn else args.meshing
            bench_meshing(volume, args.cell_size, args.num_lods, in_process, SNAKEMAKE_MB)
    else:
        bench_removal()
        bench_sparse()
        bench_memory(args.size)


if __name__ == "__main__":
    main()
