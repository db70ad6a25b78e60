#!/usr/bin/env python3
"""Cut a volume into supervoxels, and run it with a table of bodies beside the volume itself.

usage: python tests/bench/bench_label_map.py VOLUME/s0 [--rows 100000000] [--format npy]
           [--folder DIR] [key=value ...]

VOLUME/s0: an array of zarr with at most 32 bits a label. The supervoxels are random parts of blocks
of 32 voxels, with labels that lie anywhere in the table. Prints what each stage of both runs took,
as bench_run.py does, after a run that compiles what is to be compiled; and whether the meshes and
the levels are the same, byte for byte.
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr

from bench_run import report, run

BLOCK = 32
STRIDE = 42  # between labels of the table: 10^8 of them fit into 32 bits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("array", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--format", choices=("npy", "csv", "parquet"), default="npy")
    parser.add_argument("--folder", help="where the volume, the table and the outputs are made")
    parser.add_argument("config", nargs="*", help="further configuration, key=value")
    args = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        compare(args, Path(scratch))


def compare(args: argparse.Namespace, scratch: Path) -> None:
    plain, cut = scratch / "plain.zarr", scratch / "cut.zarr"
    shutil.copytree(args.array, plain)
    shutil.copytree(args.array, cut)
    rows = cut_volume(zarr.open_array(cut, mode="r+"), args.rows)
    table = write_table(scratch / f"table.{args.format}", rows)
    cases = {"plain": (plain, []), "cut": (cut, [f"label_map={table}"])}
    small = ["roi=[[0,0,0],[4000,4000,4000]]"]
    warm_up = {f"warm-up {name}": (path, more + small) for name, (path, more) in cases.items()}
    for name, (path, more) in {**warm_up, **cases}.items():
        output = scratch / name
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--config"]
        command += [f"input_path={path}", f"output_directory={output}", "check_input=false"]
        command += ["voxel_size_nm=[40,32,32]", "delete_intermediate_scales=false"]
        own, whole = run([*command, *more, *args.config])
        print(f"\n{name}: CPU {whole:.1f} s in all, of it Snakemake {own:.1f}")
        if name in cases:
            report(output)
    # the document of what made the meshes names the table
    for part in ("multires/*.shard", "multires/**/info", "_intermediate_scales.zarr/s[1-9]/**/*"):
        first, second = (digests(scratch / name, part) for name in cases)
        print(f"{part}: {len(first)} files, {'the same' if first == second else 'OTHERS'}")


def cut_volume(array: zarr.Array, n_rows: int) -> np.ndarray:
    """Give every part of a label in a block a label of its own. Returns the table, (n_rows, 2)."""
    rng = np.random.default_rng(0)
    rows = np.empty((n_rows, 2), np.uint64)
    rows[:, 0] = 1 + STRIDE * np.arange(n_rows, dtype=np.uint64)
    rows[:, 1] = rng.integers(1, 2**31, n_rows)
    free = iter(rng.choice(n_rows, min(n_rows, 1 << 22), replace=False))
    n_parts = 0
    for z in range(0, array.shape[0], BLOCK):
        slab = array[z : z + BLOCK]
        for y in range(0, array.shape[1], BLOCK):
            for x in range(0, array.shape[2], BLOCK):
                block = slab[:, y : y + BLOCK, x : x + BLOCK]
                labels, numbers = np.unique(block, return_inverse=True)
                parts = np.fromiter((next(free) for _ in labels), np.int64, len(labels))
                rows[parts, 1] = labels
                cut = np.where(labels == 0, 0, rows[parts, 0]).astype(array.dtype)
                block[...] = cut[numbers].reshape(block.shape)
                n_parts += len(labels)
        array[z : z + BLOCK] = slab
    print(f"{n_parts:,} supervoxels, {n_rows:,} rows")
    return rows[rng.permutation(n_rows)]


def write_table(path: Path, rows: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, rows)
        return path
    import pyarrow as pa
    from pyarrow import csv, parquet

    columns = {"label": rows[:, 0].copy(), "body": rows[:, 1].copy()}
    write = {".csv": csv.write_csv, ".parquet": parquet.write_table}[path.suffix]
    write(pa.table(columns), path)
    return path


def digests(output: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.glob(pattern))
        if path.is_file()
    }


if __name__ == "__main__":
    main()
