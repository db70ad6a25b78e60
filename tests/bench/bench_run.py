#!/usr/bin/env python3
"""Run the workflow on a volume and print, stage by stage, what it cost.

usage: python tests/bench/bench_run.py INPUT_PATH [--cores 2] [--keep DIR] [key=value ...]

Wall is from the first start to the last end of a stage's jobs, which run side by side; CPU and RSS
are what Snakemake's benchmarks measured of each job; voxels, faces and bytes are from the logs.
Times mean something in comparison only: run what is compared one after the other.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input_path")
    parser.add_argument("--cores", default="2")
    parser.add_argument("--keep", help="an empty folder for the output")
    parser.add_argument("config", nargs="*", help="further configuration, key=value")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(args.keep or scratch) / "output"
        command = [sys.executable, "-m", "snakemake", "--cores", args.cores, "--quiet", "all"]
        command += ["--config", f"input_path={Path(args.input_path).resolve()}"]
        command += [f"output_directory={output}", *args.config]
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        wall = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        report(output)
        print(f"\nwhole run: wall {wall:.1f} s, CPU {used.ru_utime + used.ru_stime:.1f} s")


def report(output: Path) -> None:
    """Print one line per stage of a finished run."""
    columns = ("stage", "jobs", "wall s", "CPU s", "peak MB", "Mvoxel/s", "faces", "bytes")
    print(("{:<26}" + "{:>10}" * 7).format(*columns))
    for stage, files in sorted(stages(output / "benchmarks").items()):
        rows = [measured(file) for file in files]
        facts = [logged(output, file) for file in files]
        wall = span(output, files, rows)
        voxels = sum(int(fact.get("voxels", 0)) for fact in facts)
        faces = sum(int(fact.get("faces", 0)) for fact in facts)
        payload = sum(int(fact.get("payload_bytes", 0)) for fact in facts)
        print(
            f"{stage:<26}{len(files):>10}{wall:>10.1f}{sum(row[1] for row in rows):>10.1f}"
            f"{max(row[2] for row in rows):>10.0f}"
            f"{voxels / wall / 1e6 if voxels else 0:>10.1f}{faces:>10}{payload:>10}"
        )


def stages(benchmarks: Path) -> dict[str, list[Path]]:
    """Benchmark files by stage: the rule, and the LOD of mesh_block jobs."""
    found: dict[str, list[Path]] = {}
    for file in sorted(benchmarks.rglob("*.tsv")):
        parts = file.relative_to(benchmarks).parts
        stage = " ".join(parts[:-1]) or file.stem
        found.setdefault(stage, []).append(file)
    return found


def measured(file: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of a job."""
    row = next(csv.DictReader(file.open(), delimiter="\t"))
    return tuple(
        0.0 if row[key] in ("-", "NA") else float(row[key]) for key in ("s", "cpu_time", "max_rss")
    )


def logged(output: Path, file: Path) -> dict[str, str]:
    """The facts of the last line of a job's log, which come in pairs divided by two spaces."""
    log = output / "logs" / file.relative_to(output / "benchmarks").with_suffix(".log")
    lines = log.read_text().splitlines() or [""]
    pairs = (pair.split(" ") for pair in lines[-1].split("  "))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def span(output: Path, files: list[Path], rows: list[tuple[float, float, float]]) -> float:
    """Seconds between the start of a stage's first job and the end of its last."""
    ends = [file.stat().st_mtime for file in files]
    return max(ends) - min(end - row[0] for end, row in zip(ends, rows, strict=True))


if __name__ == "__main__":
    main()
