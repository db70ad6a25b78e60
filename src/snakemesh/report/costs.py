"""Time and memory of the jobs as they were measured, against what was expected of them."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cost:
    """What the jobs of a step took.

    jobs: how many there are. measured: of how many the benchmark is there. seconds, expected_s: the
    times of these jobs and what was expected of each, (measured,). peak_mb: their peaks of memory,
    NaN where Snakemake has measured none because the job was too short. mem_mb, minutes: what a job
    asks for.
    """

    step: str
    jobs: int
    measured: int
    seconds: np.ndarray
    expected_s: np.ndarray
    peak_mb: np.ndarray
    mem_mb: int
    minutes: int

    @property
    def total_s(self) -> float:
        """The time of all jobs; if not all were measured, in proportion."""
        return float(self.seconds.sum() * self.jobs / max(self.measured, 1))

    @property
    def total_expected_s(self) -> float:
        """What was expected of all jobs, in the same proportion."""
        return float(self.expected_s.sum() * self.jobs / max(self.measured, 1))

    @property
    def largest_mb(self) -> float:
        """The highest peak; NaN if none is known."""
        known = self.peak_mb[np.isfinite(self.peak_mb)]
        return float(known.max()) if len(known) else float("nan")


def measured_costs(steps: Iterable[Mapping[str, Any]]) -> list[Cost]:
    """The costs of steps (`plan.expected.Step`), but for those of which nothing was measured."""
    costs = []
    for step in steps:
        found = [(read_benchmark(path), expected) for path, expected in step["jobs"]]
        rows = np.array([(*row, expected) for row, expected in found if row is not None])
        if len(rows):
            given = (step["mem_mb"], step["minutes"])
            seconds, peak, expected = rows.T
            costs.append(
                Cost(step["name"], step["count"], len(rows), seconds, expected, peak, *given)
            )
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
        return float(rows[-1]["s"]), _number(rows[-1]["max_rss"])
    except (LookupError, ValueError, TypeError):
        return None


def _number(text: str) -> float:
    """A number, NaN for "NA" or "-"."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def as_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Costs in values that JSON can hold."""
    return [
        {k: _listed(v) if isinstance(v, np.ndarray) else v for k, v in asdict(cost).items()}
        for cost in costs
    ]


def _listed(values: np.ndarray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def from_json(costs: Iterable[Mapping[str, Any]]) -> list[Cost]:
    """The inverse of `as_json`."""
    arrays = ("seconds", "expected_s", "peak_mb")
    return [Cost(**{**cost, **{k: np.array(cost[k], float) for k in arrays}}) for cost in costs]


def as_rows(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """A row per step, of numbers rounded for people."""
    return [
        {
            "step": cost.step,
            "jobs": cost.jobs,
            "measured": cost.measured,
            "total_s": round(cost.total_s, 2),
            "expected_total_s": round(cost.total_expected_s, 2),
            "longest_job_s": round(float(cost.seconds.max()), 2),
            "expected_longest_job_s": round(float(cost.expected_s.max()), 2),
            "time_asked_s": cost.minutes * 60,
            "peak_mb": None if np.isnan(cost.largest_mb) else round(cost.largest_mb),
            "memory_asked_mb": cost.mem_mb,
        }
        for cost in costs
    ]
