"""Speed of the vote on one core, and speed and memory of a super-chunk in a separate process.

python tests/bench/bench_vote.py [--zarr ARRAY] [--steps 2,2,2 2,2,2 2,2,2]
python tests/bench/bench_vote.py --super-chunk [--size 1024]
python tests/bench/bench_vote.py --compare --zarr ARRAY

Rates are source voxels per second of processor time, so that other work on the machine changes
them little. The synthetic volume is a Voronoi diagram with as much surface as dense mouse cortex at
40 x 32 x 32 nm: some 17 % of its 2 x 2 x 2 cubes are mixed.

--compare takes 512^3 voxels of an array and prints ratios of processor times. The vote is compared
to tensorstore's downsample driver and to the 2 x 2 x 2 cascade of tinybrain, which is not exact and
needs `pip install tinybrain`. A whole super-chunk, with reading and writing, is compared to
decompressing the array and compressing its levels, without a vote. All of them run in turn, several
times.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorstore as ts
import worldarray as wa

from peak_memory import peak_mb
from snakemesh.pyramid.downsample import METHODS, downsample
from snakemesh.pyramid.fill import fill_super_chunk

STEPS = ((2, 2, 2),) * 3
TILE = 128
SPACING = 26  # voxels between the seeds of the Voronoi diagram
REPEATS = 5


def voronoi_tile() -> np.ndarray:
    """One period of a periodic Voronoi diagram: (TILE, TILE, TILE) uint64, labels from 1."""
    rng = np.random.default_rng(0)
    seeds = rng.uniform(0, TILE, ((TILE // SPACING) ** 3, 3))
    nearest = np.full((TILE,) * 3, np.inf, np.float32)
    labels = np.zeros((TILE,) * 3, np.uint64)
    reach = np.arange(-2 * SPACING, 2 * SPACING)
    for label, seed in enumerate(seeds, 1):
        at = [np.floor(s).astype(int) + reach for s in seed]
        z, y, x = ((a - s).astype(np.float32) ** 2 for a, s in zip(at, seed, strict=True))
        distance = z[:, None, None] + y[None, :, None] + x[None, None, :]
        window = np.ix_(*(a % TILE for a in at))
        closer = distance < nearest[window]
        nearest[window] = np.where(closer, distance, nearest[window])
        labels[window] = np.where(closer, np.uint64(label), labels[window])
    return labels


def labels_zarr(path: Path, size: int, dtype: str) -> ts.TensorStore:
    """Open a zarr array of ``size`` voxels a side in chunks of TILE, or make an empty one."""
    spec = {
        "driver": "zarr",
        "kvstore": {"driver": "file", "path": str(path)},
        "metadata": {
            "shape": [size] * 3,
            "chunks": [TILE] * 3,
            "dtype": np.dtype(dtype).str,
            "dimension_separator": "/",
            "fill_value": 0,
            "compressor": {"id": "zstd", "level": 3},
        },
    }
    return ts.open(spec, open=True, create=True, context=wa.shared_context()).result()


def print_rate(name: str, block: np.ndarray, clock, run, *args) -> None:
    """Print the best of REPEATS calls of ``run``, in Mvoxel of ``block`` per ``clock`` second."""
    seconds = []
    for _ in range(REPEATS):
        started = clock()
        run(*args)
        seconds.append(clock() - started)
    print(f"{name:20}{block.dtype}  {block.size / min(seconds) / 1e6:6.0f} Mvoxel/s")


def tensorstore_modes(block: np.ndarray, steps: tuple[tuple[int, int, int], ...]) -> None:
    """Compute the same levels with tensorstore's downsample driver, each from the block."""
    store = ts.array(block)
    for factor in np.cumprod(steps, axis=0).tolist():
        ts.downsample(store, factor, "mode").read().result()


def bench_vote(array: str | None, steps: tuple[tuple[int, int, int], ...]) -> None:
    """Print the rates of every method and of tensorstore's exact mode, on uint32 and uint64."""
    if array is None:
        labels = np.tile(voronoi_tile(), (1, 2, 2))
    else:
        labels = wa.open_tensorstore(array)[:256, :256, :256].read().result()
    for dtype in (np.uint32, np.uint64):
        block = labels.astype(dtype)
        for method in METHODS:
            downsample(block[:16], steps, method)
            print_rate(method, block, time.thread_time, downsample, block, steps, method)
        print_rate("tensorstore mode", block, time.process_time, tensorstore_modes, block, steps)


def tinybrain_cascade(block: np.ndarray) -> None:
    """Compute three levels with tinybrain, each from the one before."""
    import tinybrain

    tinybrain.downsample_segmentation(block.T, (2, 2, 2), num_mips=3)


def bench_compare(array: str) -> None:
    """Print ratios of processor time, from medians over REPEATS rounds."""
    source = wa.open_tensorstore(array)[:512, :512, :512]
    block = source.read().result()
    levels = downsample(block, STEPS, "mode")
    with tempfile.TemporaryDirectory() as name:
        shapes = [level.shape for level in levels]
        stores = [
            labels_zarr(Path(name) / f"s{k}", shape[0], block.dtype)
            for k, shape in enumerate(shapes, 1)
        ]

        def pyramid() -> None:
            fill_super_chunk(source, stores, (0, 0, 0), source.shape, STEPS, "mode")

        def codecs_alone() -> None:
            source.read().result()
            for store, level in zip(stores, levels, strict=True):
                store.write(level).result()

        rows = {
            "ours": lambda: downsample(block, STEPS, "mode"),
            "tensorstore": lambda: tensorstore_modes(block, STEPS),
            "tinybrain": lambda: tinybrain_cascade(block),
            "pyramid": pyramid,
            "codecs alone": codecs_alone,
        }
        seconds = {row: [] for row in rows}
        for _ in range(REPEATS):
            for row, run in rows.items():
                started = time.process_time()
                run()
                seconds[row].append(time.process_time() - started)
    least = {row: float(np.median(taken)) for row, taken in seconds.items()}
    for row, taken in least.items():
        print(f"{row:14}{block.dtype}  {block.size / taken / 1e6:6.0f} Mvoxel/s of processor time")
    print(f"{least['tensorstore'] / least['ours']:.1f} times as fast as tensorstore (8 wanted)")
    print(f"{least['ours'] / least['tinybrain']:.2f} times as long as tinybrain (3 allowed)")
    print(f"{least['pyramid'] / least['codecs alone']:.2f} times as long as codecs (2 allowed)")


def bench_super_chunk(size: int) -> None:
    """Make a volume here, and fill its pyramid in a new process."""
    with tempfile.TemporaryDirectory() as name:
        source = labels_zarr(Path(name) / "s0", size, "uint64")
        tile = voronoi_tile()
        for i, index in enumerate(np.ndindex((size // TILE,) * 3)):
            box = tuple(slice(TILE * j, TILE * (j + 1)) for j in index)
            source[box].write(tile + np.uint64(i * tile.max())).result()
        for k in (1, 2, 3):
            labels_zarr(Path(name) / f"s{k}", size >> k, "uint64")
        subprocess.run([sys.executable, __file__, "--fill", name], check=True)


def fill(name: str) -> None:
    """Fill the super-chunk of ``bench_super_chunk`` in this process, and print its figures."""
    size = wa.metadata(f"{name}/s0").shape[0]
    source, *targets = (labels_zarr(Path(name) / f"s{k}", size >> k, "uint64") for k in range(4))
    downsample(np.zeros((8, 8, 8), np.uint64), STEPS, "mode")
    before = peak_mb()
    started = time.process_time()
    on_clock = time.perf_counter()
    fill_super_chunk(source, targets, (0, 0, 0), source.shape, STEPS, "mode")
    on_clock, seconds = time.perf_counter() - on_clock, time.process_time() - started
    print(
        f"{size**3 / on_clock / 1e6:.0f} Mvoxel/s, "
        f"{size**3 / seconds / 1e6:.0f} per core with decoding and encoding, "
        f"peak RSS {peak_mb():.0f} MB, {before:.0f} of it the imports"
    )


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zarr", help="array to take 256 voxels a side from")
    parser.add_argument("--steps", nargs="+", help="factors z,y,x of each level from the last")
    parser.add_argument("--compare", action="store_true", help="ratios to others, on --zarr")
    parser.add_argument("--super-chunk", action="store_true")
    parser.add_argument("--size", type=int, default=1024, help="voxels a side of the super-chunk")
    parser.add_argument("--fill", help=argparse.SUPPRESS)
    args = parser.parse_args()
    steps = tuple(tuple(map(int, s.split(","))) for s in args.steps) if args.steps else STEPS
    if args.fill:
        fill(args.fill)
    elif args.compare:
        bench_compare(args.zarr)
    elif args.super_chunk:
        bench_super_chunk(args.size)
    else:
        bench_vote(args.zarr, steps)


if __name__ == "__main__":
    main()
