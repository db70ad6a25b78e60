"""Planning at scale, from metadata alone: what a run costs apart from its jobs.

    python tests/bench/bench_plan.py [--sides 8192 32768 102400] [--profile lsf]

A volume is metadata documents without a single chunk. This prints:

- for each volume, a dry run (seconds, memory and jobs), then the start of a run on a cluster until
  its first job would be submitted, and what each job costs the driver;
- for one volume, how the dry run grows with `max_jobs`;
- for the last volume of `--sides`, what one cluster job spends before its first voxel. The command
  that the cluster would get is started, and killed when the job opens its log. That is the last
  thing a job does before it opens the volume.

If others use the machine too, CPU seconds mean more than seconds. Python's compiled modules are
kept in a separate folder, because an environment that pip has installed has them too.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from by_hand import json_file, ome_group, scale, translation, zarr2_document
from running import command, copy_repository, jobs_in

VOXEL_NM, CHUNK, DTYPE = 8, 128, "<u8"
MAX_JOBS = (5000, 10_000, 20_000, 40_000)
GROWTH_SIDE = 32_768
# enough to fill the driver's queue of 500 and then to replace a hundred jobs
SUBMISSIONS = 620
FULL = 520
SLOWEST_START_S = 120


@dataclass(frozen=True)
class Run:
    """What a process took: seconds, CPU seconds and peak MB. text: what it printed."""

    seconds: float
    cpu: float
    peak_mb: float
    text: str


def write_volume(group: Path, side: int) -> None:
    """Write an OME-NGFF group that has metadata documents but no chunks."""
    ome_group(group, {"s0": [scale(*[VOXEL_NM] * 3), translation(*[VOXEL_NM / 2] * 3)]})
    compressor = {"id": "zstd", "level": 3}
    changes = {"compressor": compressor, "dimension_separator": "/"}
    json_file(group / "s0" / ".zarray", zarr2_document([side] * 3, [CHUNK] * 3, DTYPE, **changes))


class Bench:
    """A copy of the workflow, with volumes, in which processes are measured."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.repository = copy_repository(scratch / "repository")
        self.environment = {
            **os.environ,
            "PYTHONPYCACHEPREFIX": str(scratch / "compiled"),
            "PYTHONPATH": f"{Path(__file__).parent}/idle:{self.repository}/src",
            "XDG_CACHE_HOME": str(scratch / "cache"),
            "IDLE_LOG": str(scratch / "submitted"),
            "IDLE_JOBS": str(SUBMISSIONS),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.start([sys.executable, "-m", "snakemake", "--version"])  # compiles

    def start(self, line: list[str]) -> Run:
        """Run a command to its end."""
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(
                line, cwd=self.repository, env=self.environment, stdout=out, stderr=out
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - began
            out.seek(0)
            text = out.read()
        if process.returncode:
            sys.exit(text[-3000:])
        cpu = used.ru_utime + used.ru_stime
        return Run(seconds, cpu, used.ru_maxrss * 1024 / 1e6, text)

    def config(self, side: int, output: str, **more: int) -> dict:
        """The configuration for a volume, which is written if it does not exist."""
        volume = self.scratch / f"{side}.zarr"
        if not volume.exists():
            write_volume(volume, side)
        output_directory = self.scratch / output
        return {"input_path": volume, "output_directory": output_directory, "num_lods": 4, **more}

    def dry_run(self, side: int, **more: int) -> tuple[Run, dict[str, int]]:
        """A dry run, and its number of jobs per rule."""
        run = self.start(command(self.config(side, "planned", **more), "--dry-run"))
        return run, jobs_in(run.text)

    def submissions(self, side: int, *arguments: str) -> list[dict]:
        """What the driver would have submitted, in order, with seconds since the start."""
        log = Path(self.environment["IDLE_LOG"])
        log.unlink(missing_ok=True)
        options = ("--executor", "idle", "--jobs", "500", "--seconds-between-status-checks", "1")
        began = time.time()
        self.start(command(self.config(side, f"out{side}"), *arguments, *options, cores=1))
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return [{**line, "seconds": line["seconds"] - began} for line in lines]

    def before_first_voxel(self, side: int, submitted: str) -> tuple[float, float]:
        """Seconds until a job's script starts, and seconds until the job opens its log."""
        wildcards = r"mesh_block:lod=(\d+),box=(\d+_\d+_\d+),fingerprint=(\w+)"
        lod, box, fingerprint = re.search(wildcards, submitted).groups()
        logs = self.scratch / f"out{side}" / "logs" / "mesh_block" / f"lod{lod}"
        log = logs / f"{box}.{fingerprint}.log"
        log.unlink(missing_ok=True)
        scripts = self.repository / ".snakemake" / "scripts"
        began = time.perf_counter()
        process = subprocess.Popen(
            submitted,
            shell=True,
            cwd=self.repository,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        script = None
        while not log.exists():
            if process.poll() is not None or time.perf_counter() - began > SLOWEST_START_S:
                sys.exit(f"this job has not begun:\n{submitted}")
            if script is None and any(scripts.glob("*.mesh_block.py")):
                script = time.perf_counter() - began
            time.sleep(0.005)
        opened = time.perf_counter() - began
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for left in scripts.glob("*.mesh_block.py"):
            left.unlink()
        return script or opened, opened


def row(what: str, run: Run, jobs: dict[str, int]) -> str:
    """One line about a dry run."""
    n = sum(jobs.values())
    counts = ", ".join(f"{rule} {count:,}" for rule, count in jobs.items() if count > 1)
    return (
        f"{what:>9} {run.seconds:6.1f} s, CPU {run.cpu:5.1f} s, {run.peak_mb:5.0f} MB, "
        f"{n:6,} jobs ({counts}): {1e3 * run.cpu / n:.2f} ms and "
        f"{1e3 * run.peak_mb / n:.0f} KB a job"
    )


def bench_side(bench: Bench, side: int, profile: str) -> list[dict]:
    """Print the dry run and the start of a run. Returns what was submitted."""
    print(row(f"{side}^3", *bench.dry_run(side)))
    lines = bench.submissions(side, "--profile", profile)
    first, last = lines[0], lines[-1]
    after = lines[FULL:]
    n = sum(line["jobs"] for line in after)
    cpu = after[-1]["cpu_seconds"] - after[0]["cpu_seconds"]
    seconds = after[-1]["seconds"] - after[0]["seconds"]
    print(
        f"          --profile {profile}: first job submitted after {first['seconds']:.1f} s, CPU "
        f"{first['cpu_seconds']:.1f} s; {last['jobs']} jobs in one of the cluster; then the "
        f"driver takes CPU {1e3 * cpu / n:.0f} ms a job, {100 * cpu / seconds:.0f} % of a core"
    )
    return lines


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[8192, 32_768, 102_400])
    parser.add_argument("--profile", default="lsf", choices=("lsf", "slurm"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        for side in args.sides:
            lines = bench_side(bench, side, args.profile)
        print(f"\ngrowth, {GROWTH_SIDE}^3:")
        for most in MAX_JOBS:
            print(row(f"{most:,}", *bench.dry_run(GROWTH_SIDE, max_jobs=most)))
        job = next(line["command"] for line in lines if "mesh_block:lod=0" in line["command"])
        bench.before_first_voxel(side, job)  # compiles
        script, opened = min(bench.before_first_voxel(side, job) for _ in range(3))
        print(
            f"\none job of {side}^3 on a cluster: its script is started after {script:.1f} s, and "
            f"begins to read after {opened:.1f} s (best of three)"
        )


if __name__ == "__main__":
    main()
