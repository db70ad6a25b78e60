"""Counts what one job does to a shared filesystem, apart from voxels and fragments.

    python tests/bench/bench_operations.py /data/small.zarr

This runs the workflow on a small local volume, on an idle cluster (`idle/`) that runs each job
under strace. It counts the calls that name a file, and prints them per job and rule. Then it prints
what the driver of the run does for each job. `CALLS` and `DRIVER_CALLS` hold these figures, and
`bench_cluster.py` uses them. Chunks and containers are left out, because the plan tells how many of
them a job opens. strace must be installed.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from snakemesh.fragments.container_table import ENTRY
from snakemesh.halo import halo_voxels
from snakemesh.plan.jobs import smoothing_iterations
from snakemesh.plan.plan import Plan

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from running import command, copy_repository

sys.path.insert(0, str(Path(__file__).parent / "idle"))

from snakemake_executor_plugin_idle import STRACE

# a call that names a file; calls on open files name none
CALL = re.compile(r'\d+ +(\w+)\([^"]*"([^"]+)"(.*)')
KINDS = {
    "open": "open",
    "openat": "open",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "unlink",
    "unlinkat": "unlink",
    "rmdir": "unlink",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
    "chmod": "set",
    "fchmodat": "set",
    "utimensat": "set",
}
VOXELS = re.compile(r"/s\d+/(c/)?\d|\.fragments$")
# what the idle cluster itself does for a job: it writes a log, a benchmark and a marker
PRETENDED = Counter({"create": 3, "mkdir": 3, "look": 3})

# calls of one job, and of the driver for it, measured here on 512^3 voxels of cortex
CALLS = {
    "pyramid_super_chunk": Counter(create=5, open=56, look=285, list=16, mkdir=17, unlink=5, set=3),
    "mesh_block": Counter(create=6, open=32, look=274, list=7, mkdir=16, unlink=5, set=3, rename=1),
    # as of a shard, but that it writes one file
    "mesh_bundle": Counter(
        create=6, open=25, look=252, list=5, mkdir=17, unlink=6, set=3, rename=1
    ),
    "shard": Counter(create=7, open=25, look=252, list=5, mkdir=17, unlink=7, set=5, rename=2),
}
DRIVER_CALLS = Counter(create=2, open=2, look=53, mkdir=2, unlink=2, set=4)
CHUNK_WRITTEN = Counter(create=1, rename=1, list=3)
# labels in a block, and in the next voxel beyond, by the block's side in voxels; the same cortex
LABELS_PER_BLOCK = {128: 124.9, 256: 517.9, 512: 2523.0}
BLOCK = 256


def calls(trace: Path) -> Iterator[tuple[str, Path]]:
    """Kind and path of each call in a trace."""
    for line in trace.read_text(errors="replace").splitlines():
        match = CALL.match(line)
        if match is None or match[1] in ("execve", "getcwd", "chdir"):
            continue
        kind = KINDS.get(match[1], "look")
        if kind == "open" and "O_CREAT" in match[3]:
            kind = "create"
        if kind == "open" and "O_DIRECTORY" in match[3]:
            kind = "list"
        yield kind, Path(match[2])


def counted(trace: Path, shared: Iterable[Path], code: Iterable[Path]) -> tuple[Counter, int]:
    """Calls on shared folders by kind, without voxels and fragments, and number of calls on code.

    code: the folders of Python and of the workflow.
    """
    found, on_code = Counter(), 0
    for kind, path in calls(trace):
        if not path.is_absolute() or any(path.is_relative_to(folder) for folder in shared):
            found[kind] += not VOXELS.search(str(path))
        else:
            on_code += any(path.is_relative_to(folder) for folder in code)
    return found, on_code


class Runs:
    """Runs of the workflow in a scratch folder. Jobs are traced or only pretended."""

    def __init__(self, scratch: Path, volume: Path) -> None:
        self.scratch, self.volume = scratch, volume
        self.repository = copy_repository(scratch / "repository")
        compiled = scratch / "compiled"
        prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.prefix).resolve()}
        self.code = [self.repository, compiled, *prefixes]
        self.environment = {
            **os.environ,
            "PYTHONPYCACHEPREFIX": str(compiled),
            "PYTHONPATH": str(Path(__file__).parent / "idle"),
            "IDLE_LOG": str(scratch / "submitted"),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(self, name: str, *before: str, trace: Path | None = None, **config: object) -> Path:
        """Run to the end if `trace` is given, otherwise until every block is meshed.

        Returns the output folder.
        """
        output = self.scratch / name
        options = ["--executor", "idle", "--jobs", "100", "--seconds-between-status-checks", "1"]
        if trace is None:
            options += ["--until", "mesh_blocks_done"]
        config = {"input_path": self.volume, "output_directory": output, "num_lods": 4, **config}
        environment = self.environment | ({"IDLE_TRACE": str(trace)} if trace else {})
        line = [*before, *command(config, *options, cores=1)]
        done = subprocess.run(
            line, cwd=self.repository, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
        return output

    def of_jobs(self) -> None:
        """Print the calls of a job, by rule."""
        traces = self.scratch / "traces"
        traces.mkdir()
        output = self.run("traced", trace=traces)
        shared = (output, self.repository / ".snakemake", self.volume)
        for rule in ("pyramid_super_chunk", "mesh_block", "shard"):
            # without the first jobs, which compile
            found = [counted(t, shared, self.code) for t in sorted(traces.glob(f"*.{rule}"))[-4:]]
            mean = {
                k: round(n / len(found)) for k, n in sum((f for f, _ in found), Counter()).items()
            }
            code = round(sum(n for _, n in found) / len(found))
            print(f"{rule}: {dict(sorted(mean.items()))}, on Python and the workflow {code:,}")

    def of_driver(self) -> None:
        """Print the calls of the driver per job, from a run with few jobs and one with many."""
        found, jobs = [], []
        for cell in (256, 64):
            trace = self.scratch / f"driver{cell}"
            output = self.run(f"driven{cell}", *STRACE, "-o", str(trace), cell_size=cell)
            shared = (output, self.repository / ".snakemake")
            found.append(counted(trace, shared, self.code)[0])
            jobs.append(len(list((output / "benchmarks").rglob("*.tsv"))))
        more = jobs[1] - jobs[0]
        each = {k: round((found[1][k] - found[0][k]) / more) - PRETENDED[k] for k in found[1]}
        print(f"driver, per job ({more} jobs): { {k: n for k, n in sorted(each.items()) if n} }")


def chunks_read(shape: Iterable[int], step: Iterable[int], margin: int, chunks: tuple) -> int:
    """Number of chunks opened when an array is read box by box, each box with a margin."""
    total = 1
    for n, s, c in zip(shape, step, chunks, strict=True):
        ends = [(max(b - margin, 0), min(b + s + margin, n)) for b in range(0, n, s)]
        total *= sum((high - 1) // c - low // c + 1 for low, high in ends)
    return total


def our_calls(plan: Plan) -> tuple[Counter, int, int]:
    """Calls on the shared filesystem by kind, most files at a time, and files in the end."""
    calls, levels = Counter(), plan.levels
    blocks = [math.prod(plan.blocks(lod)) for lod in range(plan.num_lods)]
    shards = plan.sharding.num_shards
    bundles = sum(map(plan.bundles, range(plan.num_lods)))
    counts = {"mesh_block": sum(blocks), "mesh_bundle": bundles, "shard": shards}
    counts["pyramid_super_chunk"] = plan.num_jobs - sum(counts.values())
    for rule, n in counts.items():
        calls += Counter({kind: n * k for kind, k in (CALLS[rule] + DRIVER_CALLS).items()})
    for stage in plan.stages:
        level = levels[stage.base]
        calls["open"] += chunks_read(level.shape, stage.super_chunk, 0, plan.chunks)
    for lod, level in enumerate(levels):
        pairs = zip(plan.tile_cells[lod], plan.cell_voxels[lod], strict=True)
        margin = halo_voxels(smoothing_iterations(plan, lod))
        calls["open"] += chunks_read(level.shape, [t * c for t, c in pairs], margin, plan.chunks)
    built = sum(chunks_read(a.shape, plan.chunks, 0, plan.chunks) for a in levels if a.is_built)
    calls += Counter({kind: built * k for kind, k in CHUNK_WRITTEN.items()})
    calls["unlink"] += built + sum(blocks) + bundles
    calls["open"] += fragment_opens(plan)
    kept = 3 * plan.num_jobs + 2 * shards  # log, benchmark, Snakemake's record; shard, summary
    return calls, built + sum(blocks) + kept, kept


def fragment_opens(plan: Plan) -> int:
    """How often the jobs of a run open containers and bundles to read what is in them."""
    blocks = sum(math.prod(plan.blocks(lod)) for lod in range(plan.num_lods))
    bundles = sum(map(plan.bundles, range(plan.num_lods)))
    # a shard job opens each file for its counts, its records and its fragments
    of_shards = 3 * (bundles or blocks) * plan.sharding.num_shards
    # before the containers are removed, each bundle is looked at once
    return of_shards + (blocks + bundles) * (bundles > 0)


def table_bytes(plan: Plan) -> int:
    """Bytes of the tables of all containers and bundles if each has fragments of every shard."""
    blocks = sum(math.prod(plan.blocks(lod)) for lod in range(plan.num_lods))
    bundles = sum(map(plan.bundles, range(plan.num_lods)))
    return (blocks + bundles) * plan.sharding.num_shards * ENTRY.itemsize


def their_calls(plan: Plan) -> tuple[Counter, int, int]:
    """The same for a pipeline that writes a file for every label, block and LOD."""
    sides = np.array(list(LABELS_PER_BLOCK), float)
    powers = np.stack([sides**3, sides**2, sides], axis=1)  # inside, cut by faces, by edges
    weights = np.linalg.solve(powers, np.array(list(LABELS_PER_BLOCK.values())))
    files = reads = 0
    for level in plan.levels:
        side = BLOCK * round(math.prod(level.factor) ** (1 / 3))
        blocks = math.prod(math.ceil(n / BLOCK) for n in level.shape)
        files += round(blocks * (weights @ [side**3, side**2, side]))
        reads += chunks_read(plan.levels[0].shape, [side] * 3, 1, plan.chunks)
    return Counter(create=files, open=files + reads, unlink=files), files, 0


def main() -> None:
    """Print the calls of the jobs and of the driver."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volume", type=Path, help="a small local volume")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = Runs(Path(name), args.volume.resolve())
        runs.of_jobs()
        runs.of_driver()


if __name__ == "__main__":
    main()
