"""How all pictures of the report look: colours, letters, figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snakemesh.output.atomic import replacing

# What was measured, what was estimated or asked for, and what a line adds to either.
MEASURED, EXPECTED, STRESS = "#2a6f97", "#e07a1f", "#7a1f3d"
# Plots, and what each shows, for programs.
Facts = list[tuple[Axes, dict[str, Any]]]
# of this process, which does nothing but draw
matplotlib.rcParams |= {
    "figure.dpi": 130,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": "#e3e8ec",
    "legend.frameon": False,
}


def new_figure(
    inches: tuple[float, float], columns: int = 1, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure with rows of plots."""
    figure = Figure(figsize=inches)
    plots = figure.subplots(rows, columns, squeeze=False)
    return figure, list(plots.flat)


def nothing_to_show(why: str) -> Figure:
    """A figure that says why it shows nothing."""
    figure = Figure(figsize=(8, 1.6))
    figure.text(0.5, 0.5, why, ha="center", va="center", fontsize=11)
    return figure


def save(
    figure: Figure, path: str | Path, shown: Sequence[tuple[Axes, dict[str, Any]]] = ()
) -> None:
    """Write a figure as PNG, whole or not at all.

    The text `facts` of the file is JSON: for each plot of `shown` where it is in pixels, left, top,
    right and bottom, and which `x` and `y` are at these ends; and what else is known of it.
    """
    figure.draw_without_rendering()
    facts = []
    for plot, known in shown:
        box, height = plot.get_window_extent(), figure.bbox.height
        pixels = [box.x0, height - box.y1, box.x1, height - box.y0]
        limits = {"x": plot.get_xlim(), "y": plot.get_ylim()[::-1]}
        facts.append({"pixels": pixels, **limits, **known})
    with replacing(path) as temporary:
        metadata = {"Software": "snakemesh", "facts": json.dumps(facts)}
        figure.savefig(temporary, format="png", metadata=metadata)
