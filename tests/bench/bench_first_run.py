#!/usr/bin/env python3
"""Run the example in fresh clones, first with nothing compiled and then again, and print the cost.

usage: python tests/bench/bench_first_run.py [REVISION ...] [--cores 2] [--rounds 1]

What is measured is committed: each clone is made of a revision of this repository, HEAD if none is
given. The user's cache of compiled functions is an empty folder. `compile` is the part of the first
run that compiles, by itself: what `scripts/compile.py` takes in another fresh clone. Revisions
follow one another in each round, so that others' load meets all of them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revisions", nargs="*", default=["HEAD"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    print(f"{'revision':<20}{'what':<12}{'wall s':>8}{'CPU s':>8}")
    for _ in range(args.rounds):
        for revision in args.revisions:
            measure(revision, args.cores)


def measure(revision: str, cores: int) -> None:
    """Print wall and CPU seconds of compiling, of the first and of the second run of a clone."""
    snakemake = ["-m", "snakemake", "--cores", str(cores), "--quiet", "all", "--config"]
    with tempfile.TemporaryDirectory() as scratch:
        first, second = Path(scratch, "first"), Path(scratch, "second")
        for clone in (first, second):
            clone_of(revision, clone)
        parts = ["scripts/compile.py", str(cores), "example", "mesh", "pyramid"]
        lines = {
            "compile": (first, parts),
            "first run": (second, [*snakemake, "output_directory=first"]),
            "second run": (second, [*snakemake, "output_directory=second"]),
        }
        for what, (clone, line) in lines.items():
            wall, seconds = cost(line, clone, Path(scratch, f"cache of {clone.name}"))
            print(f"{revision:<20}{what:<12}{wall:>8.1f}{seconds:>8.1f}", flush=True)
            subprocess.run(["rm", "-rf", clone / "example"], check=True)  # is made again


def clone_of(revision: str, folder: Path) -> None:
    """Make a clone of a revision of this repository."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", ROOT, folder], check=True)
    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", revision], check=True, capture_output=True, text=True
    ).stdout.strip()
    subprocess.run(["git", "-C", folder, "checkout", "--quiet", commit], check=True)


def cost(line: list[str], folder: Path, cache: Path) -> tuple[float, float]:
    """Wall seconds of a Python command, and CPU seconds with all of its processes."""
    start = time.perf_counter()
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    process = subprocess.Popen([sys.executable, *line], cwd=folder, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
