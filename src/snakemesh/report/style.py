"""How all pictures of the report look: colours, letters, figures."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from snakemesh.output.atomic import replacing

DPI = 130
# What was measured, what was estimated or asked for, and what a line adds to either.
MEASURED, EXPECTED, STRESS = "#2a6f97", "#e07a1f", "#7a1f3d"
INK, QUIET, GRID = "#22303c", "#5f6f7c", "#e3e8ec"
_LOOK: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
# of this process, which does nothing but draw
matplotlib.rcParams.update(_LOOK)


def colours_of(labels: np.ndarray) -> np.ndarray:
    """The colour of each label, RGB (n, 3) from 0 to 1: the same in all pictures.

    labels: uint64. Neighbouring labels have different hues.
    """
    mixed = labels.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    parts = [(mixed >> np.uint64(shift) & np.uint64(0xFFFF)) / 0xFFFF for shift in (48, 32, 16)]
    hue, saturation, value = parts[0], 0.42 + 0.25 * parts[1], 0.74 + 0.2 * parts[2]
    return np.asarray(hsv_to_rgb(np.stack([hue, saturation, value], axis=-1)))


def new_figure(inches: tuple[float, float], columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with a row of plots."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    figure = Figure(figsize=inches, dpi=DPI, layout=layout)
    axes = [figure.add_subplot(1, columns, i + 1) for i in range(columns)]
    for plot in axes:
        plot.grid(color=GRID, linewidth=0.8)
    return figure, axes


def nothing_to_show(why: str) -> Figure:
    """A figure that says why it shows nothing."""
    figure = Figure(figsize=(8, 1.6), dpi=DPI)
    figure.text(0.5, 0.5, why, ha="center", va="center", color=QUIET, fontsize=11)
    return figure


def save(figure: Figure, path: str | Path, facts: str = "") -> None:
    """Write a figure as PNG, whole or not at all. facts: what the file says in the text `facts`."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": "snakemesh", "facts": facts})
