"""Time and memory of the index job: made-up summaries of 10^7 labels in 1,024 shards.

Measured on 2 cores that others used too: 63 CPU seconds and a peak of 1815 MB, of which 45 s and
all above 522 MB are for centroids. The job asks for 3240 MB (`cost.resources`).
segments.parquet has 908 MB, segment_properties/info 21 MB, centroids 1921 MB.
10^6 labels of which all are listed take 1011 MB without centroids.

python tests/bench/bench_index.py [labels] [shards] [max_properties] [directory]
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from peak_memory import peak_mb
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import Sharding
from snakemesh.output.served import served_file
from snakemesh.tables.measures import SUMMARY

PARTS = 16  # labels are made up and written a part at a time


def write_summaries(directory: Path, labels: int, shards: int) -> None:
    """Write the summary of every shard, as shard jobs do, and what their markers would say."""
    sharding = Sharding(shards.bit_length() - 1, 9)
    rng = np.random.default_rng(0)
    ids = np.unique(rng.integers(1, 1 << 40, labels, np.uint64))
    shard = shard_of(ids, sharding)
    order = np.argsort(shard, kind="stable")
    ends = np.cumsum(np.bincount(shard, minlength=shards))
    records = {}
    for number, own in enumerate(np.split(ids[order], ends[:-1])):
        rows = np.zeros(len(own), SUMMARY)
        rows["label"], rows["lods"] = own, rng.integers(1, 6, len(own))
        rows["voxels"] = rng.pareto(1, len(own)) * 1000 + 1
        rows["volume"] = rows["voxels"] * 4096 * rng.uniform(0.99, 1.01, len(own))
        rows["area"], rows["faces"] = rows["volume"] / 50, rows["voxels"] / 9 + 4
        rows["lower"] = rng.uniform(0, 1e6, (len(own), 3))
        rows["upper"] = rows["lower"] + np.cbrt(rows["volume"])[:, None] * 3
        rows["centroid"] = (rows["lower"] + rows["upper"]) / 2
        path = directory / f"{number:x}.npy"
        np.save(path, rows)
        records[str(path)] = asdict(served_file(path))
    (directory / "records.json").write_text(json.dumps(records))


def write_table(path: Path, directory: Path) -> None:
    """Write a user's table with a row for every hundredth label, of four columns."""
    labels = np.concatenate([np.load(p)["label"][::100] for p in directory.glob("*.npy")])
    with path.open("w") as file:
        file.write("id,name,type,parent,length\n")
        file.writelines(f"{i},body {i},axon,{i * 7},{i % 1000}.5\n" for i in labels.tolist())


def index(directory: Path, max_properties: int | None, csv: str | None) -> None:
    """Do what scripts/multires_index.py does, in a process of its own, and print what it takes."""
    from snakemesh.cost.resources import MOST_POINTS
    from snakemesh.multires.documents import segment_properties, write_json
    from snakemesh.overview.annotations import write_annotations
    from snakemesh.overview.points import read_points
    from snakemesh.segment_colours import segment_colours
    from snakemesh.tables.properties import NO_PROPERTIES, read_properties
    from snakemesh.tables.segments import index_segments
    from snakemesh.tables.summaries import checked_summary

    start = time.perf_counter()
    table = NO_PROPERTIES if csv is None else read_properties(csv)
    records = json.loads((directory / "records.json").read_text())
    summaries = [checked_summary(path, record, SUMMARY) for path, record in records.items()]
    checked = time.perf_counter() - start
    path, info = directory / "segments.parquet", directory / "info"
    seen = index_segments(path, summaries, table, max_properties)
    merged = time.perf_counter() - start
    write_json(info, segment_properties(seen.listed, seen.count, table))
    listed = time.perf_counter() - start
    points = read_points(path, table, (0, 0, 0), segment_colours, MOST_POINTS)
    write_annotations(directory / "centroids", points)
    centroids = sum(p.stat().st_size for p in (directory / "centroids").rglob("*.shard"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{seen.count:,} labels in {len(summaries):,} shards, {len(seen.listed):,} listed: "
        f"{time.perf_counter() - start:.1f} s (checked after {checked:.1f}, table after "
        f"{merged:.1f}, properties after {listed:.1f}), "
        f"{used.ru_utime + used.ru_stime:.1f} CPU s, peak {peak_mb():.0f} MB; "
        f"segments.parquet {path.stat().st_size / 1e6:.0f} MB, "
        f"segment_properties/info {info.stat().st_size / 1e6:.1f} MB, "
        f"centroids {centroids / 1e6:.0f} MB"
    )


def main() -> None:
    """Measure without and with a user's table, each in a process of its own."""
    if sys.argv[1:2] == ["index"]:
        limit, csv = json.loads(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else None
        index(Path(sys.argv[2]), limit, csv)
        return
    labels = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    shards = int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    limit = sys.argv[3] if len(sys.argv) > 3 else "200000"
    with tempfile.TemporaryDirectory(dir=sys.argv[4] if len(sys.argv) > 4 else None) as name:
        directory = Path(name)
        write_summaries(directory, labels, shards)
        write_table(directory / "table.csv", directory)
        for more in ([], [str(directory / "table.csv")]):
            command = [sys.executable, __file__, "index", name, limit, *more]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
