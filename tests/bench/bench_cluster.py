"""Simulates a run on a cluster: how long it takes, how busy its slots are, what its disk sees.

    python tests/bench/bench_cluster.py [RUN ...] [--slots 100 1000]

The plan, the jobs, their dependencies and their groups are the workflow's own. Each job takes the
time that it takes on dense cortex. This time comes from the logs of finished runs, if RUN names
their output folders, and otherwise from `snakemesh.cost.estimates`. It is varied at random, as much
as the logs of LOD 0 vary.

The driver works like Snakemake's. It submits one job after another: first those that waited for
other jobs, otherwise in random order. It looks for finished jobs every ten seconds, and less often
while there are none. At most `--queue` times as many jobs as slots are queued or running.

The calls on the shared filesystem are those that strace counted for each job (bench_operations),
and those for the chunks and containers that the job opens according to the plan. For comparison,
the same is printed for a pipeline that writes one file per label, block and LOD. It writes, reads
and deletes each file once, reads s0 again for every LOD, and does nothing else.
"""

import argparse
import heapq
import math
import random
import re
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench_operations import fragment_opens, our_calls, table_bytes, their_calls
from bench_plan import write_volume
from snakemesh.boxes import indices
from snakemesh.config.configuration import read_settings
from snakemesh.cost import estimates
from snakemesh.plan.jobs import (
    blocks_of_bundle,
    super_chunks_for_block,
    super_chunks_for_super_chunk,
)
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.run.run import SHORT_S
from snakemesh.source.read import read_source

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILE = yaml.safe_load((REPOSITORY / "lsf" / "config.yaml").read_text())
# of the seconds to start a job (bench_plan), those that a cluster job takes only once
SNAKEMAKE_START_S = 1.5
# what a job takes besides: Python and the libraries that it imports
IMPORTS_S = 0.5
# one `bsub` or `sbatch` with Snakemake's work for it; the pause of a slot between two jobs
SUBMIT_S, DISPATCH_S = 0.2, 5.0
LOOK_S, LONGEST_LOOK_S = 10.0, 180.0
SPREAD = 0.3  # standard deviation of the logarithm of the seconds


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    seconds: without Snakemake's start. needs: numbers of the jobs that it waits for.
    """

    rule: str
    seconds: float
    group: str | None
    needs: tuple[int, ...]


def plan_of(side: int) -> Plan:
    """The plan for a volume that has metadata documents but no chunks."""
    with tempfile.TemporaryDirectory() as name:
        write_volume(Path(name) / "v.zarr", side)
        config = {"input_path": f"{name}/v.zarr", "output_directory": f"{name}/out"}
        config["num_lods"] = 4
        return make_plan(read_settings(config), read_source(config["input_path"]))


def measured_rates(runs: list[Path]) -> tuple[dict[str, float], float]:
    """Voxels per second of finished runs, by rule and LOD, and the spread of LOD 0."""
    voxels, seconds, lod0 = Counter(), Counter(), []
    for log in (path for run in runs for path in (run / "logs").rglob("*.log")):
        found = re.search(r"  voxels (\d+) .*  seconds ([\d.]+)", log.read_text())
        if found:
            kind = " ".join(log.relative_to(next(r for r in runs if r in log.parents)).parts[1:-1])
            voxels[kind] += int(found[1])
            seconds[kind] += float(found[2])
            if kind == "mesh_block lod0":
                lod0.append(math.log(float(found[2])))
    rates = {kind: voxels[kind] / seconds[kind] for kind in voxels}
    return rates, statistics.stdev(lod0) if len(lod0) > 1 else SPREAD


def workflow_jobs(plan: Plan, rates: dict[str, float], spread: float, seed: int) -> list[Job]:
    """Every job that is not local, in the order of the workflow.

    That shards wait for all blocks is left to `Cluster.look`.
    """
    rng, jobs, number, block = random.Random(seed), [], {}, {}

    def add(rule: str, wildcards: dict[str, str], kind: str, needs: list) -> None:
        work = estimates.job_work(plan, rule, wildcards)
        seconds = work.voxels / rates[kind] if kind in rates else work.seconds - estimates.START_S
        seconds *= rng.lognormvariate(-(spread**2) / 2, spread)
        seconds += IMPORTS_S
        is_short = rule not in ("mesh_bundle", "shard") and work.seconds < SHORT_S
        group = {"pyramid_super_chunk": "pyramid_stage{stage}", "mesh_block": "mesh_lod{lod}"}
        name = group[rule].format(**wildcards) if is_short else None
        jobs.append(Job(rule, seconds, name, tuple(needs)))

    for k, stage in enumerate(plan.stages):
        for index in indices(stage.grid):
            needs = [number[n] for n in super_chunks_for_super_chunk(plan, stage, index)]
            number[k, index] = len(jobs)
            names = {"stage": str(k), "box": "_".join(map(str, index))}
            add("pyramid_super_chunk", names, f"pyramid_super_chunk stage{k}", needs)
    for lod in range(plan.num_lods):
        for index in indices(plan.blocks(lod)):
            needs = [number[n] for n in super_chunks_for_block(plan, lod, index)]
            block[lod, index] = len(jobs)
            names = {"lod": str(lod), "box": "_".join(map(str, index))}
            add("mesh_block", names, f"mesh_block lod{lod}", needs)
    for lod in range(plan.num_lods):
        for bundle in range(plan.bundles(lod)):
            needs = [block[lod, index] for index in blocks_of_bundle(plan, lod, bundle)]
            add("mesh_bundle", {"lod": str(lod)}, "mesh_bundle", needs)
    for _ in range(plan.sharding.num_shards):
        add("shard", {}, "shard", [])
    return jobs


def cluster_jobs(jobs: list[Job], seed: int) -> list[list[int]]:
    """The cluster jobs, each a list of numbers of jobs. Jobs are grouped in random order."""
    by_group = defaultdict(list)
    for number, job in enumerate(jobs):
        by_group[job.group].append(number)
    found = [[number] for number in by_group.pop(None, [])]
    for group, numbers in by_group.items():
        random.Random(seed).shuffle(numbers)
        size = PROFILE["group-components"].get(group, 1)
        found += [numbers[i : i + size] for i in range(0, len(numbers), size)]
    return found


class Cluster:
    """Slots, a queue that is served in the order of submission, and the jobs still to do."""

    def __init__(self, jobs: list[Job], batches: list[list[int]], slots: int) -> None:
        self.seconds = [SNAKEMAKE_START_S + sum(jobs[n].seconds for n in b) for b in batches]
        self.rules = [jobs[batch[0]].rule for batch in batches]
        batch_of = {n: k for k, batch in enumerate(batches) for n in batch}
        needs = [{batch_of[m] for n in batch for m in jobs[n].needs} for batch in batches]
        self.waits = [len(needed) for needed in needs]
        # of the jobs that are ready, Snakemake first takes those whose inputs are temporary
        self.rank = [-bool(needed) for needed in needs]
        self.dependents = defaultdict(list)
        for k, needed in enumerate(needs):
            for other in needed:
                self.dependents[other].append(k)
        # what all shards wait for: the last jobs before them
        self.last = "mesh_bundle" if "mesh_bundle" in self.rules else "mesh_block"
        self.blocks = self.rules.count(self.last)
        self.free = [0.0] * slots
        self.running: list[tuple[float, int]] = []

    def submit(self, batch: int, now: float) -> None:
        """Queue a job, which starts as soon as a slot is free."""
        start = max(now, heapq.heappop(self.free)) + DISPATCH_S
        end = start + self.seconds[batch]
        heapq.heappush(self.free, end)
        heapq.heappush(self.running, (end, batch))

    def look(self, now: float) -> tuple[int, list[int]]:
        """How many jobs have ended, and which jobs are ready because of that."""
        ended, ready = 0, []
        while self.running and self.running[0][0] <= now:
            _, batch = heapq.heappop(self.running)
            ended += 1
            for other in self.dependents[batch]:
                self.waits[other] -= 1
                if not self.waits[other]:
                    ready.append(other)
            self.blocks -= self.rules[batch] == self.last
            if self.rules[batch] == self.last and not self.blocks:
                ready += [k for k, rule in enumerate(self.rules) if rule == "shard"]
        return ended, ready


def simulate(cluster: Cluster, most: int, seed: int) -> tuple[float, float]:
    """Seconds until all is done, and the fraction of them that the driver spends on submitting.

    most: the most jobs that may be queued or running.
    """
    rng, now, last_look, pause, busy = random.Random(seed), 0.0, 0.0, LOOK_S, 0.0
    ready: list[tuple] = []

    def add(batches: Iterable[int]) -> None:
        for k in batches:
            heapq.heappush(ready, (cluster.rank[k], rng.random(), k))

    rules = enumerate(cluster.rules)
    add(k for k, rule in rules if rule != "shard" and not cluster.waits[k])
    while ready or cluster.running:
        while ready and len(cluster.running) < most:
            now, busy = now + SUBMIT_S, busy + SUBMIT_S
            cluster.submit(heapq.heappop(ready)[-1], now)
        now = last_look = max(now, last_look + pause)
        ended, more = cluster.look(now)
        # the plugins wait in the same way
        pause = LOOK_S if ended else min(pause + LOOK_S, LONGEST_LOOK_S)
        add(more)
    return now, busy / now


def bench(side: int, args: argparse.Namespace) -> None:
    """Simulate and print everything for one volume."""
    plan = plan_of(side)
    rates, spread = measured_rates(args.runs)
    jobs = workflow_jobs(plan, rates, spread, seed=0)
    batches = cluster_jobs(jobs, seed=1)
    works = sorted(SNAKEMAKE_START_S + sum(jobs[n].seconds for n in b) for b in batches)
    print(
        f"\n{side}^3: {len(jobs):,} jobs in {len(batches):,} of the cluster, of "
        f"{statistics.median(works) / 60:.1f} minutes in the middle and {works[-1] / 60:.0f} at "
        f"most, {sum(works) / 3600:,.0f} hours in all"
    )
    for slots in args.slots:
        took, driver = simulate(Cluster(jobs, batches, slots), int(args.queue * slots), seed=2)
        least = sum(works) / slots
        print(
            f"  {slots:5,} slots: done after {took / 3600:.2f} h ({least / 3600:.2f} if nothing "
            f"waited), slots busy {least / took:.1%}, driver {driver:.1%}"
        )
    print_opens(plan)
    for name, found in (("as here", our_calls(plan)), ("by label", their_calls(plan))):
        calls, most, kept = found
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in calls.most_common())
        print(
            f"  {name}: {most:,} files at most, {kept:,} in the end besides what is served; "
            f"{calls.total():,} calls: {kinds}"
        )


def print_opens(plan: Plan) -> None:
    """Print how often containers are opened, and how large their tables are."""
    bundles = sum(map(plan.bundles, range(plan.num_lods)))
    print(
        f"  containers: opened {fragment_opens(plan):,} times, {bundles:,} bundles of "
        f"{plan.blocks_per_bundle} blocks, at most {table_bytes(plan) / 1e9:.2f} GB of tables"
    )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="output folders of finished runs")
    parser.add_argument("--sides", type=int, nargs="+", default=[8192, 32_768])
    parser.add_argument("--slots", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--queue", type=float, default=2, help="jobs submitted per slot")
    args = parser.parse_args()
    for side in args.sides:
        bench(side, args)


if __name__ == "__main__":
    main()
