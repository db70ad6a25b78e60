"""The colours of segments by a column of `segments.parquet`."""

import os
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snakemesh.ascending import find
from snakemesh.errors import UserError
from snakemesh.tables.readable import readable
from snakemesh.tables.table import query_name

# The colours that people with any colour vision tell apart, without black, which is the colour of
# the background: Okabe and Ito, Color Universal Design, https://jfly.uni-koeln.de/color
PALETTE = {
    "orange": (230, 159, 0),
    "sky blue": (86, 180, 233),
    "bluish green": (0, 158, 115),
    "yellow": (240, 228, 66),
    "blue": (0, 114, 178),
    "vermilion": (213, 94, 0),
    "reddish purple": (204, 121, 167),
}
GREY = (128, 128, 128)  # of segments without a colour of their own
_COLOUR = "^#[0-9a-fA-F]{6}$"
# Which part of the numbers is beyond either end of the colours: a few large ones do not decide.
_BEYOND = 0.02
# Positive numbers whose ends have this ratio or more are coloured by their logarithms.
_LOGARITHMIC = 100


@dataclass(frozen=True)
class ColumnColours:
    """The colours of the segments that have a value in the column.

    name: of the column. labels: uint64 (n,), ascending. rgb: uint8 (n, 3). volumes: float64 (n,),
    nm³. legend: what the colours mean, in a line.
    """

    name: str
    labels: np.ndarray
    rgb: np.ndarray
    volumes: np.ndarray
    legend: str

    def of(self, labels: np.ndarray) -> np.ndarray:
        """The colours of some labels, uint64 (n,), as uint8 (n, 3); GREY for those without one."""
        at, is_there = find(self.labels, labels)
        found = np.full((len(labels), 3), GREY, np.uint8)
        found[is_there] = self.rgb[at[is_there]]
        return found


def column_colours(path: str | os.PathLike[str], column: str) -> ColumnColours:
    """The colours by a column of the table of all segments: its name, or a heading of the user's.

    Texts have the colours of PALETTE, the most frequent first, and are grey if there are more.
    Numbers have those of viridis, between their 2nd and 98th percentile. Texts that are colours,
    `#rrggbb`, are taken as they are. Raises UserError if there is no such column, or if the table
    cannot be read.
    """
    with readable(path):
        names = pq.read_schema(path).names
    name = query_name(column)  # which leaves the names of columns as they are
    if name not in names:
        known = ", ".join(names)
        raise UserError(f"{path} has no column {column!r} to colour by, expected one of {known}")
    columns = sorted({"label", "volume", name})
    with readable(path):
        table = pq.read_table(path, columns=columns, use_threads=False)
    table = table.filter(pc.is_valid(table[name]))
    values = table[name].combine_chunks()
    if not len(table):
        rgb, means = np.empty((0, 3), np.uint8), "no segment has a value"
    elif pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
        rgb, means = _of_texts(values.cast(pa.string()))
    else:
        rgb, means = _of_numbers(values.to_numpy(zero_copy_only=False).astype(float))
    legend = f"Colours by {name}: {means}; all others grey"
    return ColumnColours(name, table["label"].to_numpy(), rgb, table["volume"].to_numpy(), legend)


def _of_texts(values: pa.Array) -> tuple[np.ndarray, str]:
    """The colour of each text, uint8 (n, 3), and what the colours mean."""
    found = values.dictionary_encode()
    texts, places = found.dictionary.to_pylist(), found.indices.to_numpy()
    if pc.all(pc.match_substring_regex(found.dictionary, _COLOUR)).as_py():
        known = np.array([list(bytes.fromhex(text[1:])) for text in texts], np.uint8)
        return known[places], "as the column says"
    times = np.bincount(places).tolist()
    order = sorted(range(len(texts)), key=lambda i: (-times[i], texts[i]))[: len(PALETTE)]
    colours = np.full((len(texts), 3), GREY, np.uint8)
    colours[order] = list(PALETTE.values())[: len(order)]
    said = [f"{' '.join(texts[i].split())} {name}" for i, name in zip(order, PALETTE, strict=False)]
    if len(texts) > len(order):
        said.append(f"{len(texts) - len(order):,} less frequent values grey")
    return colours[places], ", ".join(said)


def _of_numbers(numbers: np.ndarray) -> tuple[np.ndarray, str]:
    """The colour of each number, uint8 (n, 3), and what the colours mean. numbers: float64."""
    from matplotlib import colormaps  # here, because it takes 0.3 s

    finite = numbers[np.isfinite(numbers)]
    low, high = np.quantile(finite, [_BEYOND, 1 - _BEYOND]) if len(finite) else (0.0, 0.0)
    scale = f"{low:.4g} dark purple to {high:.4g} yellow"
    if low > 0 and high >= _LOGARITHMIC * low:
        with np.errstate(invalid="ignore", divide="ignore"):
            numbers, low, high = np.log(numbers), np.log(low), np.log(high)
        scale += ", logarithmic"
    places = np.clip((numbers - low) / max(high - low, 1e-300), 0, 1)
    known = np.rint(255 * colormaps["viridis"](np.arange(256))[:, :3]).astype(np.uint8)
    rgb = known[np.minimum(256 * np.nan_to_num(places), 255).astype(np.uint8)]
    rgb[np.isnan(places)] = GREY
    return rgb, scale
