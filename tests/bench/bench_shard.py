"""Time and memory of write_shard: 200,000 labels of three fragments each, from 64 containers.

python tests/bench/bench_shard.py [labels] [directory]
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from peak_memory import peak_mb
from snakemesh.fragments.container import FRAGMENT, write_container
from snakemesh.fragments.container_table import Origin
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires.shard import write_shard, write_unsharded

GRID = OctreeGrid((0.0, 0.0, 0.0), (8192.0, 8192.0, 10240.0), (1, 2, 4))
SHARDING = Sharding(shard_bits=0, minishard_bits=9)
# LOD-0 cells along each axis, of a job and of the volume.
JOB, VOLUME = 8, 32


def write_containers(directory: Path, labels: int) -> list[str]:
    """Write containers in which each label has three fragments. Returns their paths.

    The fragments lie in two neighbouring LOD-0 cells and in the LOD-1 cell above the first.
    """
    rng = np.random.default_rng(0)
    cell = rng.integers(0, VOLUME, (labels, 3))
    base = np.zeros((2, labels), FRAGMENT)
    base["label"] = rng.choice(10 * labels, labels, replace=False)
    base["faces"], base["octants"], base["upper"] = 400, 255, 65535
    base["cell"] = [cell, cell ^ [1, 0, 0]]
    above = base[0].copy()
    above["cell"] //= 2
    above["faces"], above["octants"] = 100, 1
    payload = rng.bytes(1 << 20)
    paths = []
    for lod, records, size in ((0, base.reshape(-1), 1500), (1, above, 400)):
        job = records["cell"] // (JOB >> lod) @ [1, 100, 10_000]
        order = np.argsort(job, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(job[order])) + 1):
            begins = rng.integers(0, len(payload) - 2 * size, len(part))
            sizes = rng.integers(size // 2, 3 * size // 2, len(part))
            blobs = [payload[a : a + n] for a, n in zip(begins, sizes, strict=True)]
            paths.append(str(directory / f"{lod}_{len(paths)}"))
            write_container(
                paths[-1], lod, records[part], blobs, SHARDING, Origin(bytes(16), bytes(16))
            )
    return paths


def main() -> None:
    """Print time and memory."""
    labels = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        directory = Path(name)
        paths = write_containers(directory, labels)
        path = directory / "0.shard"
        before, start = peak_mb(), time.perf_counter()
        summary = write_shard(path, 0, paths, GRID, SHARDING).summary
        seconds = time.perf_counter() - start
        print(f"{len(paths)} containers, {len(summary)} labels, {path.stat().st_size >> 20} MB")
        print(f"write_shard: {seconds:.2f} s, peak {peak_mb():.0f} MB ({before:.0f} MB before)")
        few = max(labels // 20, 1)
        small = directory / "few"
        small.mkdir()
        paths = write_containers(small, few)
        start = time.perf_counter()
        write_unsharded(small, 0, paths, GRID, SHARDING)
        print(f"write_unsharded: {(time.perf_counter() - start) / few * 1e6:.0f} us a label")


if __name__ == "__main__":
    main()
