"""The colours of segments by a column."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib import colormaps

from snakemesh.errors import UserError
from snakemesh.tables.column_colours import GREY, PALETTE, ColumnColours, column_colours


@pytest.fixture
def table(tmp_path):
    """Writes a table of segments 1, 2, ... with one column more; label n has the volume n."""

    def write(values: list | pa.Array, name: str = "kind") -> Path:
        labels = np.arange(1, len(values) + 1)
        columns = {"label": labels.astype(np.uint64), "volume": labels.astype(float), name: values}
        pq.write_table(pa.table(columns), tmp_path / "segments.parquet")
        return tmp_path / "segments.parquet"

    return write


def by_label(found: ColumnColours) -> dict[int, tuple[int, ...]]:
    """Red, green and blue of every segment that has a value."""
    return dict(zip(found.labels.tolist(), map(tuple, found.rgb.tolist()), strict=True))


def test_texts_have_the_palette_by_how_often_they_are_there(table):
    path = table(["b", "a", None, "c", "a", "b", "a"])
    found = column_colours(path, "kind")
    orange, blue, green, *_ = PALETTE.values()
    assert by_label(found) == {2: orange, 5: orange, 7: orange, 1: blue, 6: blue, 4: green}
    assert found.legend == (
        "Colours by kind: a orange, b sky blue, c bluish green; all others grey"
    )


def test_more_texts_than_colours(table):
    texts = [chr(ord("a") + k) for k in range(10) for _ in range(10 - k)]
    found = column_colours(table(texts), "kind")
    colours = {texts[label - 1]: colour for label, colour in by_label(found).items()}
    assert list(colours[text] for text in "abcdefg") == list(PALETTE.values())
    assert {colours[text] for text in "hij"} == {GREY}
    assert ", 3 less frequent values grey; all others grey" in found.legend


def test_the_palette_is_told_apart_on_black():
    """No two colours are near, nor is one dark, by relative luminance (WCAG 2.2)."""
    rgb = np.array(list(PALETTE.values())) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    contrast = (linear @ [0.2126, 0.7152, 0.0722] + 0.05) / 0.05
    assert contrast.min() > 3
    distances = np.linalg.norm(rgb[:, None] - rgb, axis=-1)[~np.eye(len(rgb), dtype=bool)]
    assert distances.min() > 0.25


def viridis(place: float) -> tuple[int, ...]:
    return tuple(np.rint(255 * np.array(colormaps["viridis"](place)[:3])).astype(int).tolist())


def test_numbers_have_viridis_between_percentiles(table):
    values = np.arange(101.0)
    values[[100, 0]] = [1e9, np.nan]
    found = column_colours(table(values), "kind")
    colours = by_label(found)
    assert colours[1] == GREY
    assert (colours[2], colours[101]) == (viridis(0.0), viridis(1.0))
    low, high = np.quantile(values[1:], [0.02, 0.98])
    assert colours[51] == viridis((50 - low) / (high - low))
    assert found.legend == (
        f"Colours by kind: {low:.4g} dark purple to {high:.4g} yellow; all others grey"
    )


def test_numbers_of_several_magnitudes_are_coloured_by_their_logarithms(table):
    found = column_colours(table([10.0**k for k in range(51)]), "kind")
    colours = by_label(found)
    assert colours[26] in (viridis(0.499), viridis(0.501))
    assert colours[14] in (viridis(0.249), viridis(0.251))
    assert "yellow, logarithmic" in found.legend


@pytest.mark.parametrize(
    "values",
    [
        [5, 5, 5],
        [0.0, 0.0, -1.0],
        pa.array([1, 2**64 - 1], pa.uint64()),
        [np.inf, -np.inf, np.nan, 1.0],
        [0.0, 1e-300, 1e300],
    ],
    ids=["equal", "zero", "uint64", "infinite", "extreme"],
)
def test_every_number_has_a_colour(table, values):
    found = column_colours(table(values), "kind")
    assert found.rgb.shape == (len(values), 3) and found.rgb.dtype == np.uint8


def test_colours_are_taken_as_they_are(table):
    found = column_colours(table(["#FF8000", None, "#00ff7f"]), "kind")
    assert by_label(found) == {1: (255, 128, 0), 3: (0, 255, 127)}
    rgb = found.of(np.array([3, 1, 2, 99], np.uint64))
    assert rgb.tolist() == [[0, 255, 127], [255, 128, 0], list(GREY), list(GREY)]
    assert found.legend == "Colours by kind: as the column says; all others grey"


def test_other_columns(table):
    assert set(by_label(column_colours(table([True, False]), "kind")).values()) == {
        PALETTE["orange"],
        PALETTE["sky blue"],
    }
    nothing = column_colours(table([None, None]), "kind")
    assert nothing.legend == "Colours by kind: no segment has a value; all others grey"
    assert nothing.of(np.array([1], np.uint64)).tolist() == [list(GREY)]
    assert by_label(column_colours(table([5, 5]), "volume")) == {1: viridis(0.0), 2: viridis(1.0)}
    assert len(column_colours(table(["x"], "Cell_type"), "Cell type").rgb) == 1


def test_a_column_that_is_not_there(table):
    with pytest.raises(UserError) as error:
        column_colours(table(["x"]), "type")
    (line,) = str(error.value).splitlines()
    assert line.endswith("has no column 'type' to colour by, expected one of label, volume, kind")
