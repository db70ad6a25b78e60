#!/usr/bin/env python3
"""What another value of a key does to the meshes of a volume: run it with each, print a table.

usage: python tests/bench/bench_choosing.py VOLUME KEY VALUE [VALUE ...] [--set KEY=VALUE ...]
       [--work DIR]

VOLUME is a path, or a stand-in: `organelles`, `nuclei`, `atlas` (tests/bench/stand_ins.py). To try
values on your own data, take a small `roi` of it (--set roi=...).

Rows are LODs. cells: of all labels, each is one request of the viewer. volume: of the meshes by
that of the voxels, 5 %, median and 95 % of the labels. CPU seconds and peak MB are those of all
jobs, and of the largest.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from snakemesh.verify.checks import to_nm, volume_and_centroid, welded
from snakemesh.verify.reader import read_meshes
from stand_ins import STAND_INS, write_stand_in

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ("", "labels", "cells", "kB", "kB/cell", "faces", "volume 5/50/95 %")


class Row(NamedTuple):
    """An LOD. volumes: by that of the voxels, one per label that has the LOD."""

    labels: int
    cells: int
    size: int
    faces: int
    volumes: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volume", help=f"a path, or one of {', '.join(STAND_INS)}")
    parser.add_argument("key")
    parser.add_argument("values", nargs="+")
    parser.add_argument("--set", nargs="+", default=[], help="other keys, KEY=VALUE")
    parser.add_argument("--work", type=Path, help="a folder to keep volumes in")
    options = parser.parse_args()
    print(("{:<24}" + "{:>9}" * 5 + "{:>21}").format(*HEADINGS))
    with tempfile.TemporaryDirectory() as scratch:
        path = options.volume
        if path in STAND_INS:
            path = str(write_stand_in(path, options.work or Path(scratch)))
        for number, value in enumerate(options.values):
            output = Path(scratch) / f"output{number}"
            run(path, output, [*options.set, f"{options.key}={value}"])
            report(f"{options.key}={value}", output)


def run(volume: str, output: Path, config: list[str]) -> None:
    """Run the workflow. What it says is shown if it fails."""
    keys = [f"input_path={Path(volume).resolve()}", f"output_directory={output}", *config]
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--config", *keys]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def report(name: str, output: Path) -> None:
    """Print the LODs of a finished run, and what its jobs took."""
    for lod, row in enumerate(rows(output)):
        percentiles = "/".join(f"{v:.3f}" for v in np.percentile(row.volumes, (5, 50, 95)))
        size = row.size / 1e3
        print(
            f"{name:<18} LOD {lod}{row.labels:>9,}{row.cells:>9,}{size:>9,.0f}"
            f"{size / row.cells:>9.1f}{row.faces:>9,}{percentiles:>21}"
        )
    seconds, peaks = zip(*costs(output), strict=True)
    print(f"{name:<18} {sum(seconds):.0f} CPU s, peak {max(peaks):.0f} MB", flush=True)


def rows(output: Path) -> list[Row]:
    """What the finished meshes are, by LOD."""
    table = pq.read_table(output / "multires/segments.parquet", columns=["label", "voxels"])
    voxels = dict(zip(*(table[name].to_pylist() for name in ("label", "voxels")), strict=True))
    document = json.loads((output / "snakemesh.json").read_text())
    voxel_nm3 = np.prod(document["view"]["voxel_size_nm"])
    found: list[list[tuple[int, int, int, float]]] = []
    for mesh in read_meshes(output / "multires"):
        for lod, fragments in enumerate(mesh.fragments):
            if lod == len(found):
                found.append([])
            vertices, faces = welded(mesh, lod)
            volume = volume_and_centroid(to_nm(mesh, lod, vertices), faces)[0]
            size = int(mesh.manifest.sizes[lod].sum())
            ratio = volume / (voxels[mesh.label] * voxel_nm3)
            found[lod].append((len(fragments), size, len(faces), ratio))
    columns = [list(zip(*labels, strict=True)) for labels in found]
    return [Row(len(c[0]), sum(c[0]), sum(c[1]), sum(c[2]), np.array(c[3])) for c in columns]


def costs(output: Path) -> Iterator[tuple[float, float]]:
    """CPU seconds and peak MB of each job."""
    for file in (output / "benchmarks").rglob("*.tsv"):
        with file.open() as lines:
            row = next(csv.DictReader(lines, delimiter="\t"))
        yield tuple(
            0.0 if row[k] in ("NA", "-") else float(row[k]) for k in ("cpu_time", "max_rss")
        )


if __name__ == "__main__":
    main()
