"""Time and memory of the jobs as they were measured, against what was expected of them."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cost:
    """What the jobs of a step took.

    jobs: how many there are. seconds, expected_s: the times of those whose benchmark is there, and
    what was expected of each, (n,). peak_mb: their peaks of memory, NaN where Snakemake has
    measured none because the job was too short. mem_mb, minutes: what a job asks for.
    """

    step: str
    jobs: int
    seconds: np.ndarray
    expected_s: np.ndarray
    peak_mb: np.ndarray
    mem_mb: int
    minutes: int

    @property
    def scale(self) -> float:
        """By how much sums over the measured jobs are multiplied, to stand for all jobs."""
        return self.jobs / len(self.seconds)

    @property
    def largest_mb(self) -> float | None:
        """The highest peak; None if no peak is known."""
        known = self.peak_mb[np.isfinite(self.peak_mb)]
        return float(known.max()) if len(known) else None


def measured_costs(steps: Iterable[Mapping[str, Any]]) -> list[Cost]:
    """The costs of steps (`console.expected.Step`) that have a benchmark."""
    costs = []
    for step in steps:
        found = [(read_benchmark(path), expected) for path, expected in step["jobs"]]
        rows = np.array([(*row, expected) for row, expected in found if row is not None])
        if len(rows):
            name, count, mem_mb, minutes = (step[k] for k in ("name", "count", "mem_mb", "minutes"))
            seconds, peak_mb, expected_s = rows.T
            costs.append(Cost(name, count, seconds, expected_s, peak_mb, mem_mb, minutes))
    return costs


def read_benchmark(path: str | Path) -> tuple[float, float] | None:
    """Seconds and peak memory in MB of the last run of a job; None where there is no benchmark.

    Format: https://snakemake.readthedocs.io/en/stable/snakefiles/rules.html#benchmark-rules
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return None
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    try:
        peak = rows[-1]["max_rss"]
        return float(rows[-1]["s"]), float("nan" if peak in ("NA", "-") else peak)
    except (LookupError, ValueError, TypeError):
        return None


def as_rows(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """A row per step, of numbers rounded for people."""
    return [
        {
            "step": cost.step,
            "jobs": cost.jobs,
            "measured": len(cost.seconds),
            "total_s": round(float(cost.seconds.sum()) * cost.scale, 2),
            "expected_total_s": round(float(cost.expected_s.sum()) * cost.scale, 2),
            "longest_job_s": round(float(cost.seconds.max()), 2),
            "expected_longest_job_s": round(float(cost.expected_s.max()), 2),
            "time_asked_s": cost.minutes * 60,
            "peak_mb": None if cost.largest_mb is None else round(cost.largest_mb),
            "memory_asked_mb": cost.mem_mb,
        }
        for cost in costs
    ]
