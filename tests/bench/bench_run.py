#!/usr/bin/env python3
"""Run the workflow on a volume and print what each stage cost, and what Snakemake itself cost.

usage: python tests/bench/bench_run.py INPUT_PATH [--cores 2] [--keep DIR] [key=value ...]

Wall time runs from the first start to the last end of a stage's jobs, which run side by side. RSS
comes from Snakemake's benchmarks of each job; CPU, voxels, faces and bytes come from the logs.
Only comparisons of times mean something: run one after another what you compare.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input_path", help="a volume, or `example` for the configuration as it is")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--keep", help="an empty folder for the output")
    parser.add_argument("config", nargs="*", help="further configuration, key=value")
    args = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(args.keep or scratch) / "output"
        command = [sys.executable, "-m", "snakemake", "--cores", str(args.cores), "--quiet", "all"]
        command += ["--config", f"output_directory={output}", *args.config]
        if args.input_path != "example":
            command.append(f"input_path={Path(args.input_path).resolve()}")
        start = time.perf_counter()
        driver, whole = run(command)
        wall = time.perf_counter() - start
        report(output)
        report_overhead(output, wall, args.cores, driver, whole)


def run(command: list[str]) -> tuple[float, float]:
    """Run Snakemake. Returns the CPU seconds of its own process, and those with all its jobs."""
    process = subprocess.Popen(command, cwd=ROOT)
    own = 0.0
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        own = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(process.returncode)
    return own, used.ru_utime + used.ru_stime


def report_overhead(output: Path, wall: float, cores: int, driver: float, whole: float) -> None:
    """Print which part of the cores' time was the jobs' work, and what the rest was.

    Starting jobs is all that is neither Snakemake nor in the logs, which begin after the imports.
    """
    files = [file for files in stages(output / "benchmarks").values() for file in files]
    work = working([logged(output, file) for file in files])
    starting = whole - driver - work
    parts = {
        "jobs' work": work,
        "jobs' start": starting,
        "Snakemake": driver,
        "idle, or others'": wall * cores - whole,
    }
    shares = ", ".join(f"{what} {part / wall / cores:.0%}" for what, part in parts.items())
    print(
        f"\nwhole run: wall {wall:.1f} s, CPU {whole:.1f} s: jobs {whole - driver:.1f}, of it "
        f"{starting:.1f} for starting {len(files)} of them; Snakemake {driver:.1f}"
        f"\nof {cores} cores' time: {shares}"
    )


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
            f"{stage:<26}{len(files):>10}{wall:>10.1f}{working(facts):>10.1f}"
            f"{max(row[1] for row in rows):>10.0f}"
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


def measured(file: Path) -> tuple[float, float]:
    """Wall seconds and peak MB of a job."""
    row = next(csv.DictReader(file.open(), delimiter="\t"))
    return float(row["s"]), 0.0 if row["max_rss"] in ("-", "NA") else float(row["max_rss"])


def working(facts: list[dict[str, str]]) -> float:
    """CPU seconds of jobs, without their start."""
    return sum(float(fact["cpu_s"]) for fact in facts)


def logged(output: Path, file: Path) -> dict[str, str]:
    """The facts in the last line of a job's log. Two spaces stand between facts."""
    log = output / "logs" / file.relative_to(output / "benchmarks").with_suffix(".log")
    lines = log.read_text().splitlines() or [""]
    pairs = (pair.split(" ") for pair in lines[-1].split("  "))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def span(output: Path, files: list[Path], rows: list[tuple[float, float]]) -> float:
    """Seconds from the start of a stage's first job to the end of its last job."""
    ends = [file.stat().st_mtime for file in files]
    return max(ends) - min(end - row[0] for end, row in zip(ends, rows, strict=True))


if __name__ == "__main__":
    main()
