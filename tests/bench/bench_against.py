#!/usr/bin/env python3
"""What must not get slower, in a clone of HEAD against a clone of another revision.

usage: python tests/bench/bench_against.py REVISION [--cores 2] [--rounds 2] [--volume ZARR]

What is measured is committed. Each clone has an empty cache of compiled functions. Rows, in CPU
seconds with all processes, the least of the rounds, and the ratio of HEAD to the revision:

compile       compiling what the example needs
first run     the example in a fresh clone, from nothing
second run    the example again, from its volume on
dense blocks  all LODs of a volume in one process, in cells of 256: the example, or --volume
job           a job that finds background only: it starts, reads and writes
planning      a dry run of 20,000 jobs, from metadata alone

Before 0.6.0, the example was another volume: give --volume to compare dense blocks with it.

The revisions take turns in each round, so that others' load meets both.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_plan import write_volume

ROOT = Path(__file__).resolve().parents[2]
ROWS = ("compile", "first run", "second run", "dense blocks", "job", "planning")
# Sides of volumes without a chunk: one with blocks enough to tell what a job costs, and one whose
# plan has 20,000 jobs at most.
JOBS_SIDE, PLANNED_SIDE = 640, 32_768
# Meshes a volume twice in one process and prints the CPU seconds of the second time.
DENSE_BLOCKS = """
import sys, time
sys.path[:0] = ["tests/helpers"]
from in_process import build_pyramid, mesh
from snakemesh.config.configuration import read_settings
from snakemesh.survey.inputs import source_levels
from snakemesh.plan.plan import make_plan
for name in ("warm", "timed"):
    config = {"input_path": sys.argv[1], "output_directory": sys.argv[2] + name, "num_lods": 3}
    settings = read_settings(config)
    plan = make_plan(settings, source_levels(settings))
    begun = time.process_time()
    build_pyramid(plan)
    mesh(plan)
print(time.process_time() - begun)
"""

COMPILE = """
import sys
from snakemesh.compiling.compile import compile_parts
from snakemesh.compiling.stages import STAGES
parts = [part for part in ("example", "mesh", "pyramid") if part in STAGES]
compile_parts(parts, int(sys.argv[1]))
"""


class Clone:
    """A clone of a revision of this repository, with a cache of its own."""

    def __init__(self, revision: str, scratch: Path, cores: int) -> None:
        self.folder, self.scratch, self.cores = scratch / "clone", scratch, cores
        git = ["git", "-C", ROOT, "rev-parse", revision]
        commit = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["git", "clone", "-q", "-n", ROOT, self.folder], check=True)
        subprocess.run(["git", "-C", self.folder, "checkout", "-q", commit], check=True)
        self.library = "src" if (self.folder / "src").is_dir() else "scripts"  # before 0.6.0
        self.found: dict[str, float] = {}

    def measure(self, volume: Path | None) -> None:
        """Keep the least of each row."""
        scratch = self.scratch
        shutil.rmtree(scratch / "results", ignore_errors=True)
        self.forget()
        self.keep("compile", self.cost("-c", COMPILE, self.cores))
        self.forget()
        self.keep("first run", self.run(f"output_directory={scratch}/results/first"))
        self.keep("second run", self.run(f"output_directory={scratch}/results/second"))
        dense = [volume or "example/segmentation.zarr", scratch / "results/dense"]
        self.keep("dense blocks", float(self.output("-c", DENSE_BLOCKS, *dense)))
        empty = self.empty(JOBS_SIDE, "empty", "num_lods=1", "cell_size=64")
        plan = self.output("-m", "snakemake", "--cores", 1, "--dry-run", "--config", *empty)
        # as snakemesh says it, or Snakemake in older revisions
        found = re.findall(r"^(?:Dry run: |total +)([\d,]+)", plan, re.MULTILINE)
        n_jobs = int(found[0].replace(",", ""))
        planned = self.run(*empty, "--dry-run")
        self.keep("job", (self.run(*empty) - planned) / n_jobs)
        self.keep("planning", self.run(*self.empty(PLANNED_SIDE, "planned"), "--dry-run"))

    def forget(self) -> None:
        """Remove what is compiled, and the example's volume."""
        for folder in (f"{self.library}/snakemesh/__pycache__", "example", self.scratch / "cache"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def keep(self, row: str, seconds: float) -> None:
        """Keep the seconds of a row if they are the least."""
        self.found[row] = min(seconds, self.found.get(row, seconds))

    def empty(self, side: int, output: str, *more: str) -> list[str]:
        """The configuration of a volume without a chunk."""
        volume = self.scratch / f"{side}.zarr"
        if not volume.exists():
            write_volume(volume, side)
        return [f"input_path={volume}", f"output_directory={self.scratch}/results/{output}", *more]

    def run(self, *arguments: str) -> float:
        """CPU seconds of a run of Snakemake. arguments: of --config, and options after them."""
        config = [a for a in arguments if not a.startswith("--")]
        options = [a for a in arguments if a.startswith("--")]
        start = ["-m", "snakemake", "--cores", self.cores, "--quiet", "all", *options, "--config"]
        return self.cost(*start, *config)

    def cost(self, *line: object) -> float:
        """CPU seconds of a Python command with all of its processes."""
        process = subprocess.Popen(self.line(line), **self.surroundings())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(process.returncode)
        return used.ru_utime + used.ru_stime

    def output(self, *line: object) -> str:
        """What a Python command prints."""
        done = subprocess.run(
            self.line(line), check=True, text=True, **self.surroundings(subprocess.PIPE)
        )
        return done.stdout

    def line(self, line: tuple[object, ...]) -> list[str]:
        return [sys.executable, *map(str, line)]

    def surroundings(self, out: int = subprocess.DEVNULL) -> dict:
        environment = os.environ | {"XDG_CACHE_HOME": str(self.scratch / "cache")}
        environment["PYTHONPATH"] = str(self.folder / self.library)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return {"cwd": self.folder, "env": environment, "stdout": out}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--volume", type=Path)
    args = parser.parse_args()
    volume = args.volume and args.volume.resolve()
    with tempfile.TemporaryDirectory() as name:
        clones = []
        for revision in (args.revision, "HEAD"):
            (Path(name) / revision.replace("/", "_")).mkdir()
            scratch = Path(name) / revision.replace("/", "_")
            clones.append(Clone(revision, scratch, args.cores))
        for _ in range(args.rounds):
            for clone in clones:
                clone.measure(volume)
        print(f"{'CPU s':<14}{args.revision[:16]:>17}{'HEAD':>9}{'ratio':>8}")
        for row in ROWS:
            before, now = (clone.found[row] for clone in clones)
            print(f"{row:<14}{before:>17.2f}{now:>9.2f}{now / before:>8.2f}")


if __name__ == "__main__":
    main()
