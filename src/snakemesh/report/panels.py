"""Drawn pictures side by side, each with a title, a note and a bar of known length."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from snakemesh.report.style import DPI, INK, QUIET
from snakemesh.units import lengths

# Pixels between panels and around them, above each for its title, and below for bar and note.
GAP, TITLE, NOTE = 28, 56, 34
# Of its panel, a bar is at most this part.
LONGEST_BAR = 0.3


@dataclass(frozen=True)
class Panel:
    """A picture with what is written about it.

    picture: RGB from 0 to 1, (height, width, 3); all panels of a figure have one size.
    nm_per_pixel: its scale. facts: what there is to know of it, for JSON.
    """

    picture: np.ndarray
    title: str
    note: str
    nm_per_pixel: float
    facts: dict[str, Any]


def bar_nm(width_nm: float) -> float:
    """The longest length of 1, 2 or 5 times a power of ten that fits under a picture."""
    power = 10.0 ** math.floor(math.log10(width_nm * LONGEST_BAR))
    fitting = [factor * power for factor in (1, 2, 5) if factor * power <= width_nm * LONGEST_BAR]
    return fitting[-1]


def mosaic(panels: Sequence[Panel], columns: int) -> tuple[Figure, str]:
    """A figure of panels row by row, each pixel as it was drawn, and its facts as JSON.

    The facts are a list with those of each panel and its `pixels`: left, top, right and bottom.
    """
    height, width = panels[0].picture.shape[:2]
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    total = (GAP + columns * (width + GAP), GAP // 2 + rows * (TITLE + height + NOTE))
    facts = []
    figure = Figure(figsize=(total[0] / DPI, total[1] / DPI), dpi=DPI)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left, top = GAP + column * (width + GAP), row * (TITLE + height + NOTE) + TITLE
        _place(figure, total, panel, left, top)
        facts.append({**panel.facts, "pixels": [left, top, left + width, top + height]})
    return figure, json.dumps(facts)


def _place(figure: Figure, total: tuple[int, int], panel: Panel, left: int, top: int) -> None:
    height, width = panel.picture.shape[:2]
    bottom = total[1] - top - height
    as_bytes = np.rint(panel.picture * 255).astype(np.uint8)
    figure.figimage(as_bytes, left, bottom, origin="upper")

    def at(x: float, y: float) -> tuple[float, float]:
        return x / total[0], y / total[1]

    figure.text(*at(left, bottom + height + 22), panel.title, fontsize=10.5, weight="bold")
    figure.text(*at(left, bottom + height + 6), panel.note, fontsize=8.5, color=QUIET)
    bar = bar_nm(width * panel.nm_per_pixel)
    (x0, y), (x1, _) = at(left, bottom - 12), at(left + bar / panel.nm_per_pixel, bottom - 12)
    figure.add_artist(Line2D([x0, x1], [y, y], color=INK, linewidth=2.2, solid_capstyle="butt"))
    figure.text(x1 + 8 / total[0], y, lengths([bar]), fontsize=8.5, va="center_baseline")
