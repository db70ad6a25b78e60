#!/usr/bin/env python3
"""Time and memory of merging made-up pairs of labels into contacts.parquet, as multires_index does.

usage: python tests/bench/bench_contacts.py FOLDER [--pairs 100000000] [--labels 10000000]
           [--shards 1024]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from peak_memory import peak_mb
from snakemesh.tables.contacts import write_contacts
from snakemesh.tables.measures import TOUCHING
from snakemesh.tables.merge import Run


def make(folder: Path, pairs: int, labels: int, shards: int) -> list[Run]:
    """Write pairs of labels 1 to `labels`, spread over shards by their first label."""
    runs = []
    for shard in range(shards):
        rng = np.random.default_rng(shard)
        n = pairs // shards
        rows = np.zeros(n, TOUCHING)
        rows["label"] = np.sort(rng.integers(0, labels // shards, n)) * shards + shard + 1
        # labels that touch lie near each other
        rows["other"] = np.minimum(rows["label"] + rng.integers(1, 10_000, n, np.uint64), labels)
        rows = rows[np.lexsort((rows["other"], rows["label"]))]
        rows["area"], rows["faces"] = rng.exponential(1e5, n), rng.integers(1, 9999, n)
        rows["patches"], rows["centroid"] = rng.geometric(0.5, n), rng.uniform(0, 1e6, (n, 3))
        path = folder / f"{shard}.pairs"
        rows.tofile(path)
        runs.append(Run(path, 0, n, TOUCHING))
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=100_000_000)
    parser.add_argument("--labels", type=int, default=10_000_000)
    parser.add_argument("--shards", type=int, default=1024)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    runs = make(args.folder, args.pairs, args.labels, args.shards)
    begin, path = time.process_time(), args.folder / "contacts.parquet"
    found = write_contacts(path, runs, np.arange(1, args.labels + 1, dtype=np.uint64))
    taken = time.process_time() - begin
    print(
        f"{args.pairs:,} pairs of {args.labels:,} labels in {args.shards:,} shards: {taken:.0f} "
        f"CPU s, peak {peak_mb():.0f} MB, table {path.stat().st_size / 1e6:,.0f} MB, "
        f"{found.counts.mean():.1f} neighbours on average"
    )


if __name__ == "__main__":
    main()
