"""The picture of a slice: the labels of the volume, and the outlines of the meshes on them."""

import json
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from snakemesh.report.plane import Window
from snakemesh.report.style import colours_of, new_figure

# How far the colours of voxels go to white, and those of outlines to black.
PALE, DARK = 0.5, 0.55
# The second plot shows this part of each side of the first.
CLOSE = 0.28
_UNITS = ((1e6, "mm"), (1e3, "µm"), (1.0, "nm"))


def pale(labels: np.ndarray) -> np.ndarray:
    """The colours of voxels, RGB (y, x, 3): those of their labels, paler; background is white."""
    names, at = np.unique(labels, return_inverse=True)
    colours = 1 - PALE * (1 - colours_of(names))
    colours[names == 0] = 1
    return np.asarray(colours[at.reshape(labels.shape)])


def slice_figure(
    labels: np.ndarray, lines: Mapping[int, np.ndarray], window: Window, n_labels: int
) -> tuple[Figure, str]:
    """The picture, and its facts as JSON: where each plot is, in pixels, and what it shows in nm.

    labels: (y, x), of the meshes. lines: by label, segments (n, 2, 2), x y in nm. n_labels: in the
    window.
    """
    low, high = window.box_nm
    width, height = high - low
    tall = min(max(height / width, 0.35), 1.6)
    figure, (whole, close) = new_figure((11.5, 5.4 * tall + 0.9), 2)
    nm, unit = next((u for u in _UNITS if width >= 2 * u[0]), _UNITS[-1])
    picture = pale(labels)
    for plot in (whole, close):
        plot.grid(False)
        extent = (low[0] / nm, high[0] / nm, high[1] / nm, low[1] / nm)
        plot.imshow(picture, extent=extent, interpolation="nearest", aspect="equal")
        _outline(plot, lines, nm, 0.7 if plot is whole else 1.5)
        plot.set_xlabel(f"x ({unit})")
        plot.set_ylabel(f"y ({unit})")
    middle, half = _busiest(lines, low, high), CLOSE / 2 * (high - low)
    begin = np.clip(middle - half, low, high - 2 * half) / nm
    end = begin + 2 * half / nm
    close.set_xlim(begin[0], end[0])
    close.set_ylim(end[1], begin[1])
    whole.plot(
        *np.array([begin, [end[0], begin[1]], end, [begin[0], end[1]], begin]).T,
        color="black",
        linewidth=1.1,
    )
    number = window.level.number
    what = "The" if window.is_whole else "Part of the"
    whole.set_title(f"{what} plane z = {window.z_nm / nm:,.4g} {unit} of s{number}")
    said = "all" if len(lines) == n_labels else f"{len(lines):,} of {n_labels:,}"
    close.set_title(f"In the frame: outlines of LOD {number} ({said} labels)")
    figure.draw_without_rendering()
    return figure, json.dumps([_facts(figure, plot, window, nm) for plot in (whole, close)])


def _outline(plot: Axes, lines: Mapping[int, np.ndarray], nm: float, width: float) -> None:
    labels = np.array(list(lines), np.uint64)
    for colour, segments in zip(colours_of(labels) * (1 - DARK), lines.values(), strict=True):
        plot.add_collection(
            LineCollection(list(segments / nm), colors=[colour], linewidths=width),
            autolim=False,
        )


def _busiest(lines: Mapping[int, np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The middle of that of 5 x 5 parts of the window with the most outlines, x y in nm."""
    points = np.concatenate([np.empty((0, 2)), *(part[:, 0] for part in lines.values())])
    sides = [np.linspace(low[axis], high[axis], 6) for axis in (0, 1)]
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=sides)
    best = np.array(np.unravel_index(counts.argmax(), counts.shape))
    return np.asarray(low + (best + 0.5) / 5 * (high - low))


def _facts(figure: Figure, plot: Axes, window: Window, nm: float) -> dict[str, object]:
    """Where a plot is, in pixels from the left and the top, and what it shows."""
    box = plot.get_window_extent()
    bottom = figure.bbox.height
    x, y = plot.get_xlim(), plot.get_ylim()
    return {
        "pixels": [box.x0, bottom - box.y1, box.x1, bottom - box.y0],
        "x_nm": [x[0] * nm, x[1] * nm],
        "y_nm": [y[1] * nm, y[0] * nm],
        "z_nm": window.z_nm,
        "level": window.level.number,
    }
