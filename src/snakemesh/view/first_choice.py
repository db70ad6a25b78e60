"""Which segments are selected if nobody names any: long thin ones, which show the most at once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from snakemesh.tables.measures import SUMMARY
from snakemesh.tables.summaries import largest

SHOWN_AT_FIRST = 40  # more hide each other
# A segment with more than this part of the box around all segments hides the others. Meshes of
# bodies do not overlap, so fewer than MOST_GIANTS can be that large.
_GIANT = 0.1
_MOST_GIANTS = 10
_LEAST_THICKNESS = 0.01  # of the length: thinner segments, which may be slivers, rank as this thick


@dataclass(frozen=True)
class Choice:
    """The segments to select.

    rows: dtype SUMMARY. count: of all segments. crossings: how many surfaces of all segments a line
    through the box around them crosses on average.
    """

    rows: np.ndarray
    count: int
    crossings: float = 0.0


def first_choice(parts: Iterable[np.ndarray]) -> Choice:
    """Choose among all segments.

    parts: their rows, dtype SUMMARY; label, volume, area and bounds are used. Segments are
    ranked by length² / thickness: length is the diagonal of the bounding box, and thickness the
    side of a bar of that length and the segment's volume. Giants are left out, unless the other
    segments together are smaller than a giant: specks around a cell are not what is shown.
    """
    ranked = giants = np.empty(0, SUMMARY)
    lower, upper = np.full(3, np.inf), np.full(3, -np.inf)
    count, volume, area = 0, 0.0, 0.0
    for part in parts:
        count += len(part)
        volume += float(part["volume"].sum())
        area += float(part["area"].sum())
        lower = np.minimum(lower, part["lower"].min(axis=0, initial=np.inf))
        upper = np.maximum(upper, part["upper"].max(axis=0, initial=-np.inf))
        ranked = _first(np.concatenate([ranked, part]), SHOWN_AT_FIRST + _MOST_GIANTS)
        giants = largest(np.concatenate([giants, part]), _MOST_GIANTS)
    if not count:
        return Choice(ranked, 0)
    x, y, z = (upper - lower).tolist()
    limit = x * y * z * _GIANT
    giants = giants[giants["volume"] > limit]
    if volume - giants["volume"].sum() > limit:
        ranked = ranked[~np.isin(ranked["label"], giants["label"])]
    # a random line that meets a convex body crosses 2 area / area of the body (Cauchy and Crofton)
    crossings = 2 * area / max(2 * (x * y + y * z + z * x), 1e-9)
    return Choice(_first(ranked, SHOWN_AT_FIRST), count, crossings)


def _first(rows: np.ndarray, most: int) -> np.ndarray:
    """The rows of the highest ranks, of equal ones those of the smaller labels."""
    length = np.linalg.norm(rows["upper"] - rows["lower"], axis=1)
    bar = np.sqrt(np.maximum(rows["volume"], 0) / np.maximum(length, 1e-9))
    thickness = np.maximum(bar, length * _LEAST_THICKNESS)
    rank = length**2 / np.maximum(thickness, 1e-9)
    return rows[np.lexsort((rows["label"], -rank))[:most]]
