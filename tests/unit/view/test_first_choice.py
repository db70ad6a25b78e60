"""Which segments are selected if nobody names any."""

import numpy as np
import pytest

from snakemesh.tables.measures import SUMMARY
from snakemesh.view.first_choice import SHOWN_AT_FIRST, first_choice


def bars(first: int, count: int, size: tuple[int, int, int], filled: float = 1.0) -> np.ndarray:
    """Segments with boxes of this size, x y z in nm, along the diagonal of a cube of 1000 nm."""
    rows = np.zeros(count, SUMMARY)
    rows["label"] = first + np.arange(count)
    rows["volume"] = filled * np.prod(size)
    rows["lower"] = (np.linspace(0, 1, count)[:, None] * (1000 - np.array(size))).round()
    rows["upper"] = rows["lower"] + size
    return rows


def chosen(*parts: np.ndarray) -> list[int]:
    found = first_choice(parts)
    assert found.count == sum(map(len, parts))
    return sorted(found.rows["label"].tolist())


def test_long_thin_segments_come_before_thick_and_short_ones():
    neurites = bars(1, SHOWN_AT_FIRST, (900, 20, 20))
    bodies = bars(1001, 60, (200, 200, 200))
    slivers = bars(2001, 60, (200, 1, 1))
    assert chosen(bodies, neurites, slivers) == neurites["label"].tolist()


def test_a_giant_is_left_out_but_not_for_specks():
    """A glia cell hides the neurites in its folds. A cell among specks is the view."""
    giant = bars(7, 1, (1000, 1000, 1000), filled=0.3)
    neurites = bars(11, 30, (900, 80, 80))
    specks = bars(101, 30, (10, 10, 10))
    assert chosen(giant, neurites) == neurites["label"].tolist()
    assert chosen(giant, specks) == [7, *specks["label"].tolist()]
    assert chosen(giant) == [7]
    assert chosen() == chosen(giant[:0]) == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_choice_is_the_same_for_any_groups_of_rows(size):
    generator = np.random.default_rng(3)
    rows = bars(1, 500, (100, 100, 100))
    rows["upper"] = rows["lower"] + generator.integers(1, 900, (500, 3))
    rows["volume"] = generator.choice([1e3, 1e5, 4e8], 500)
    groups = [rows[i : i + size] for i in range(0, 500, size)]
    found, whole = first_choice(groups), first_choice([rows])
    assert len(found.rows) == SHOWN_AT_FIRST
    assert found.rows["label"].tolist() == whole.rows["label"].tolist()
    assert found.crossings == pytest.approx(whole.crossings)


def test_a_line_crosses_the_surface_of_a_box_twice():
    """That of eight boxes that fill it, four times, if each has its own side of a wall."""
    box = bars(1, 1, (1000, 600, 200))
    box["area"] = 2 * (1000 * 600 + 600 * 200 + 200 * 1000)
    assert first_choice([box]).crossings == pytest.approx(2)
    parts = np.repeat(box, 8)
    parts["area"] = box["area"] / 4
    assert first_choice([parts]).crossings == pytest.approx(4)
