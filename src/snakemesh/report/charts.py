"""The plots of numbers: sizes, errors, faces and bytes, time and memory."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    EngFormatter,
    FuncFormatter,
    NullFormatter,
    NullLocator,
    PercentFormatter,
)

from snakemesh.report.costs import Cost
from snakemesh.report.segments import ERROR_EDGES, SIZE_EDGES, Segments, quantiles
from snakemesh.report.style import EXPECTED, MEASURED, STRESS, new_figure, nothing_to_show
from snakemesh.units import duration, file_size

# Of the jobs of a step, so many dots are drawn.
MOST_DOTS = 400
# Errors are shown from minus to plus this, and linearly up to the second number.
MOST_ERROR, LINEAR = 1.0, 1e-4
# Segments of fewer voxels than this are small: their surface is a large part of them.
SMALL = 1000


def sizes_figure(segments: Segments) -> Figure:
    """How many segments have which size, and how much of the volume they hold."""
    if not segments.count:
        return nothing_to_show("there are no segments")
    figure, (left, right) = new_figure((11.5, 3.6), 2)
    used = np.flatnonzero(segments.sizes)
    bins = slice(max(used[0] - 1, 0), used[-1] + 2)
    edges = SIZE_EDGES[bins.start : bins.stop + 1]
    parts = (
        (left, segments.sizes[bins], "segments", "Sizes of segments"),
        (
            right,
            segments.held[bins] / segments.held.sum(),
            "part of all voxels",
            "Which sizes hold the volume",
        ),
    )
    for plot, values, name, title in parts:
        plot.stairs(values, edges[: len(values) + 1], fill=True, color=MEASURED, alpha=0.9)
        plot.set_xscale("log")
        plot.set_xlabel("voxels of a segment")
        plot.set_ylabel(name)
        plot.set_title(title)
    left.yaxis.set_major_formatter(EngFormatter(sep=""))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def errors_figure(segments: Segments) -> Figure:
    """How far the volumes of meshes are off those of their voxels."""
    if not len(segments.dots):
        return nothing_to_show("there is no segment whose voxels are known")
    figure, (left, right) = new_figure((11.5, 4.0), 2)
    voxels, errors = segments.dots.T
    shown = "" if len(errors) == segments.count else f"{len(errors):,} of {segments.count:,} "
    left.plot(
        voxels,
        np.clip(errors, -MOST_ERROR, MOST_ERROR),
        ".",
        color=MEASURED,
        markersize=3.5,
        alpha=0.45,
        markeredgewidth=0,
        label=f"{shown}segments",
    )
    middles = np.sqrt(SIZE_EDGES[1:] * SIZE_EDGES[:-1])
    low, median, high = quantiles(segments.errors, ERROR_EDGES, (0.05, 0.5, 0.95)).T
    there = np.isfinite(median)
    left.fill_between(
        middles[there], low[there], high[there], color=EXPECTED, alpha=0.22, label="9 of 10", lw=0
    )
    left.plot(middles[there], median[there], color=STRESS, label="median", linewidth=1.8)
    left.set_xscale("log")
    left.set_yscale("symlog", linthresh=LINEAR)
    left.set_ylim(-MOST_ERROR * 1.15, MOST_ERROR * 1.15)
    ticks = [-1, -0.1, -0.01, -1e-3, -1e-4, 0, 1e-4, 1e-3, 0.01, 0.1, 1]
    left.set_yticks(ticks, [f"{100 * t:+g} %" if t else "0" for t in ticks])
    left.yaxis.set_minor_locator(NullLocator())
    left.set_xlabel("voxels of a segment")
    left.set_ylabel("volume of the mesh, off that of its voxels")
    left.set_title("Errors by size")
    left.legend(loc="lower right", ncols=3)
    _error_histogram(right, segments)
    return figure


def _error_histogram(plot: Axes, segments: Segments) -> None:
    """The sizes of errors, of small segments and of the others."""
    is_small = SIZE_EDGES[:-1] < SMALL * 0.999
    middle = len(ERROR_EDGES) // 2
    edges = ERROR_EDGES[middle + 1 : -1]
    for rows, name, colour in (
        (~is_small, f"from {SMALL:,} voxels on", MEASURED),
        (is_small, "smaller", EXPECTED),
    ):
        counts = segments.errors[rows].sum(axis=0)
        if counts.sum():
            folded = counts[middle:] + counts[:middle][::-1]
            part = np.cumsum(folded)[:-1] / counts.sum()
            median = edges[min(int(np.searchsorted(part, 0.5)), len(edges) - 1)]
            name = f"{name}: {counts.sum():,}, half of them within {100 * median:.2g} %"
            plot.plot(edges, part, color=colour, linewidth=2, label=name)
    plot.set_xscale("log")
    plot.set_xlim(edges[0], 1)
    plot.set_ylim(0, 1.02)
    ticks = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]
    plot.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.yaxis.set_major_formatter(PercentFormatter(1))
    plot.set_xlabel("error at most, up or down")
    plot.set_ylabel("part of the segments")
    plot.set_title("How many have how small an error")
    plot.legend(loc="lower right")


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
        plot.barh(rows, values, color=MEASURED, height=0.62)
        for row, value in zip(rows, values, strict=True):
            plot.annotate(
                text(value), (value, row), (4, 0), textcoords="offset points", va="center"
            )
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
