"""Speed and memory of the dense surfaces of a block, on one core: nets, smoothing, triangles.

python tests/bench/bench_surface.py [--zarr ARRAY] [--size 282] [--sweeps 5]

Rows are the array's first voxels, or a periodic Voronoi diagram without one; the same with every
40th label kept, as a sparse volume; a single label that fills everything; and background. Times are
processor time, the best of REPEATS.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import worldarray as wa

from bench_vote import voronoi_tile
from peak_memory import peak_mb
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.smoothing import smooth
from snakemesh.mesh.surface import extract_surfaces

REPEATS = 3
KEPT = 40  # every so many labels, in the sparse volume


def best(run: Callable, *args) -> float:
    """The least processor time of a call, in seconds. What it returns is dropped in between."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        run(*args)
        seconds.append(time.process_time() - started)
    return min(seconds)


def forget_peak() -> float:
    """Begin to measure the peak anew. Returns what is resident now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def bench(name: str, labels: np.ndarray, sweeps: int) -> None:
    """Print a row: rates of the stages and of the whole, and bytes of memory a face and a voxel."""
    before = forget_peak()
    faces = sum(
        len(surfaces.faces)
        for surfaces in extract_surfaces(compact_labels(labels), (0, 0, 0), sweeps)
    )
    taken = peak_mb() - before
    whole = best(
        lambda: [None for _ in extract_surfaces(compact_labels(labels), (0, 0, 0), sweeps)]
    )
    net = best(lambda: label_nets(compact_labels(labels)))
    nets = label_nets(compact_labels(labels))
    smoothing = best(smooth, nets.vertices, nets.quads, sweeps)
    print(
        f"{name:10}{labels.dtype} {faces / 1e6:6.2f} Mfaces: nets {net:.3f} s, "
        f"smoothing {smoothing:.3f} s, whole {whole:.3f} s; "
        f"{labels.size / whole / 1e6:.0f} Mvoxel/s, {faces / whole / 1e6:.1f} Mfaces/s; "
        f"{taken:.0f} MB, {taken * 1e6 / max(faces, 1):.0f} bytes a face, "
        f"{taken * 1e6 / labels.size:.1f} a voxel"
    )


def main() -> None:
    """Measure all volumes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zarr", help="an array of labels, z y x")
    parser.add_argument("--size", type=int, default=282, help="voxels a side")
    parser.add_argument("--sweeps", type=int, default=5)
    args = parser.parse_args()
    box = (slice(args.size),) * 3
    if args.zarr is None:
        tile = voronoi_tile()
        labels = np.tile(tile, [-(-args.size // n) for n in tile.shape])[box]
    else:
        labels = wa.open_tensorstore(args.zarr)[box].read().result()
    labels = np.ascontiguousarray(labels)
    for surfaces in extract_surfaces(compact_labels(labels[:9, :9, :9].copy()), (0, 0, 0), 1):
        del surfaces  # compiled
    bench("dense", labels, args.sweeps)
    bench("sparse", labels * (labels % labels.dtype.type(KEPT) == 0), args.sweeps)
    bench("full", np.ones_like(labels), args.sweeps)
    bench("empty", np.zeros_like(labels), args.sweeps)


if __name__ == "__main__":
    main()
