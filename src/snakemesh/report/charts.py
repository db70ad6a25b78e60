"""The plots of numbers: sizes, errors, faces and bytes, time and memory."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter, PercentFormatter

from snakemesh.report.costs import Cost
from snakemesh.report.segments import SIZE_EDGES, Segments
from snakemesh.report.style import EXPECTED, MEASURED, STRESS, new_figure, nothing_to_show
from snakemesh.units import duration, file_size

# The most dots for the jobs of a step.
MOST_DOTS = 400
# Errors are shown from minus to plus the first number, and linearly up to the second.
MOST_ERROR, LINEAR = 1.0, 1e-4
# A segment of fewer voxels is small: its surface is a large part of it.
SMALL = 1000


def sizes_figure(segments: Segments) -> Figure:
    """How many segments have which size, and how much of the volume they hold."""
    if not segments.count:
        return nothing_to_show("there are no segments")
    figure, (left, right) = new_figure((11.5, 3.6), 2)
    used = np.flatnonzero(segments.sizes)
    bins = slice(max(used[0] - 1, 0), used[-1] + 2)
    for plot, values in ((left, segments.sizes), (right, segments.held / segments.held.sum())):
        shown = values[bins]
        edges = SIZE_EDGES[bins.start : bins.start + len(shown) + 1]
        plot.stairs(shown, edges, fill=True, color=MEASURED, alpha=0.9)
        plot.set_xscale("log")
        plot.set_xlabel("voxels of a segment")
    left.set(title="Sizes of segments", ylabel="segments")
    right.set(title="Which sizes hold the volume", ylabel="part of all voxels")
    left.yaxis.set_major_formatter(EngFormatter(sep=""))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def errors_figure(segments: Segments) -> Figure:
    """How far the volumes of meshes are off those of their voxels, by size and in all."""
    if not len(segments.sample):
        return nothing_to_show("there is no segment whose voxels are known")
    figure, (left, right) = new_figure((11.5, 4.0), 2)
    voxels, errors = segments.sample.T
    shown = "" if len(errors) == segments.count else f"{len(errors):,} of {segments.count:,} "
    most = np.clip(errors, -MOST_ERROR, MOST_ERROR)
    left.plot(voxels, most, ".", color=MEASURED, ms=3.5, alpha=0.4, mew=0, label=f"{shown}segments")
    bins = np.digitize(voxels, SIZE_EDGES) - 1
    used = np.unique(bins)
    parts = [np.quantile(errors[bins == n], (0.05, 0.5, 0.95)) for n in used]
    low, median, high = np.transpose(parts)
    middles = np.sqrt(SIZE_EDGES[used] * SIZE_EDGES[used + 1])
    left.fill_between(middles, low, high, color=EXPECTED, alpha=0.22, label="9 of 10", lw=0)
    left.plot(middles, median, color=STRESS, label="median", linewidth=1.8)
    left.set_xscale("log")
    left.set_yscale("symlog", linthresh=LINEAR)
    left.set_ylim(-MOST_ERROR * 1.15, MOST_ERROR * 1.15)
    left.yaxis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:+g} %"))
    left.set(title="Errors by size", xlabel="voxels of a segment")
    left.set_ylabel("volume of the mesh, off that of its voxels")
    left.legend(loc="lower right", ncols=3)
    for chosen, name, colour in (
        (voxels >= SMALL, f"from {SMALL:,} voxels on", MEASURED),
        (voxels < SMALL, "smaller", EXPECTED),
    ):
        if chosen.any():
            sizes = np.sort(np.abs(errors[chosen]))
            half = f"half of them within {100 * np.median(sizes):.2g} %"
            right.ecdf(sizes, color=colour, lw=2, label=f"{name}: {len(sizes):,}, {half}")
    right.set_xscale("log")
    right.set_xlim(1e-5, MOST_ERROR)
    right.xaxis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:g} %"))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.set(title="How many have how small an error", xlabel="error at most, up or down")
    right.set_ylabel("part of the segments")
    right.legend(loc="lower right")
    return figure


def detail_figure(lods: Sequence[Mapping[str, int]] | None) -> Figure:
    """Labels, faces and bytes of each LOD."""
    if lods is None:
        return nothing_to_show("not known: an older version made some shards, and did not count")
    figure, axes = new_figure((11.5, 0.42 * len(lods) + 1.5), 3)
    rows = np.arange(len(lods))
    for plot, (name, title, text) in zip(
        axes,
        (
            ("labels", "Segments", lambda n: f"{n:,}"),
            ("faces", "Triangles", lambda n: f"{n:,}"),
            ("bytes", "Bytes of fragments", file_size),
        ),
        strict=True,
    ):
        values = [sums[name] for sums in lods]
        bars = plot.barh(rows, values, color=MEASURED, height=0.62)
        plot.bar_label(bars, list(map(text, values)), padding=4)
        plot.set_xlim(0, max(*values, 1) * 1.32)
        plot.set_yticks(rows, [f"LOD {lod}" for lod in rows])
        plot.invert_yaxis()
        plot.grid(False, axis="y")
        plot.xaxis.set_major_formatter(EngFormatter(sep=""))
        plot.set_title(title)
        plot.tick_params(axis="y", length=0)
    return figure


def costs_figure(costs: Sequence[Cost]) -> Figure:
    """Time and memory of the jobs of each step, against what was expected and asked for."""
    if not costs:
        return nothing_to_show("not known: there are no benchmarks of the jobs that made this")
    figure, (left, right) = new_figure((11.5, 0.42 * len(costs) + 1.7), 2)
    rng = np.random.default_rng(0)
    for row, cost in enumerate(costs):
        known = np.isfinite(cost.peak_mb)
        _dots(left, cost.seconds, row, rng)
        _dots(right, cost.peak_mb[known], row, rng)
        _tick(left, float(cost.expected_s.min()), float(cost.expected_s.max()), row)
        _tick(right, cost.mem_mb, cost.mem_mb, row)
    names = [f"{cost.step}  ({cost.jobs:,})" for cost in costs]
    for plot in (left, right):
        plot.set_xscale("log")
        plot.set_ylim(len(costs) - 0.4, -0.6)
        plot.grid(False, axis="y")
        plot.tick_params(axis="y", length=0)
        plot.xaxis.set_minor_formatter(NullFormatter())
    left.set_yticks(range(len(costs)), names)
    right.set_yticks(range(len(costs)), [""] * len(costs))
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: file_size(value * 1e6)))
    left.set_xlabel("time of a job")
    right.set_xlabel("memory of a job")
    left.set_title("Time, measured and expected")
    right.set_title("Memory, measured and asked for")
    left.plot([], [], "o", color=MEASURED, markersize=4.5, label="a job, as measured")
    name = "expected, or asked for"
    left.plot([], [], "|", color=EXPECTED, markersize=13, markeredgewidth=2.6, label=name)
    figure.legend(loc="outside lower right", ncols=2)
    return figure


def _dots(plot: Axes, values: np.ndarray, row: int, rng: np.random.Generator) -> None:
    chosen = values if len(values) <= MOST_DOTS else rng.choice(values, MOST_DOTS, replace=False)
    spread = row + 0.18 * rng.uniform(-1, 1, len(chosen)) * (len(chosen) > 1)
    plot.plot(
        np.maximum(chosen, 1e-3), spread, "o", color=MEASURED, markersize=4.5, alpha=0.5, mew=0
    )


def _tick(plot: Axes, low: float, high: float, row: int) -> None:
    """What was expected: a mark at the most, and a line where it is less for some jobs."""
    plot.plot([low, high], [row, row], color=EXPECTED, linewidth=1.6, alpha=0.7, zorder=1)
    plot.plot([high], [row], "|", color=EXPECTED, markersize=15, markeredgewidth=2.6)
