"""Which segments are shown: a choice of long ones, or those that the user names or asks for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from snakemesh.errors import UserError
from snakemesh.tables.column_colours import ColumnColours
from snakemesh.tables.condition import expression
from snakemesh.tables.measures import SUMMARY
from snakemesh.tables.readable import readable
from snakemesh.tables.summaries import largest
from snakemesh.view.first_choice import Choice, first_choice
from snakemesh.view.limits import MOST_SELECTED

_COLUMNS = [
    "label",
    "volume",
    "area",
    *(f"{axis}_{end}" for end in ("min", "max") for axis in "xyz"),
]


@dataclass(frozen=True)
class Selection:
    """The segments that a user asks for; without any of these, the choice of `first_choice`.

    ids: labels, and names of the column `name`. where: an expression over the columns (see
    `expression`). every: all segments. most: how many of them are taken, the largest ones.
    color_by: the column that colours them, instead of the one that the configuration names.
    """

    ids: Sequence[int | str] | None = None
    where: str | None = None
    every: bool = False
    most: int = MOST_SELECTED
    color_by: str | None = None

    @property
    def is_none(self) -> bool:
        """Whether the user asks for nothing."""
        return self.ids is None and self.where is None and not self.every


@dataclass(frozen=True)
class Chosen:
    """The segments that are selected, largest first, and how many were meant.

    boxes_nm: the bounding boxes of those that are known, (n, 2, 3), lower and upper end, x y z.
    with_others: whether the view shows the other segments too, because nobody named these.
    crossings: then, as in `Choice`.
    colours: None for those that the viewer chooses.
    """

    labels: list[int]
    of: int
    boxes_nm: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 3)))
    with_others: bool = False
    crossings: float = 0.0
    colours: ColumnColours | None = None


def from_table(path: Path, selection: Selection) -> Chosen:
    """The segments of `segments.parquet` of a selection: at most `selection.most`, the largest.

    Raises UserError, one line, for a label or name that is not there, an invalid expression, or a
    table that cannot be read.
    """
    with readable(path):
        table = ds.dataset(path, format="parquet")
        rows, what = None, str(path)
        if selection.ids is not None:
            rows = _named(table, path, selection.ids)
        elif selection.where is not None:
            rows, what = expression(selection.where, table.schema.names), f"{selection.where!r}"
        try:
            batches = map(_summary, table.to_batches(columns=_COLUMNS, filter=rows))
            return _found(batches, selection)
        except (pa.ArrowException, TypeError) as error:
            raise UserError(f"{what} cannot be computed: {str(error).splitlines()[0]}") from error


def _named(table: ds.Dataset, path: Path, ids: Sequence[int | str]) -> pc.Expression:
    """The filter for labels and names. Raises UserError for those that are not in the table."""
    labels = pa.array(sorted({i for i in ids if isinstance(i, int)}), pa.uint64())
    names = pa.array(sorted({i for i in ids if isinstance(i, str)}), pa.string())
    chosen = pc.field("label").isin(labels) | pc.field("name").isin(names)
    found = table.to_table(columns=["label", "name"], filter=chosen)
    if missing := _missing(labels, found["label"]):
        raise UserError(f"these labels are not in {path}: {missing}")
    if missing := _missing(names, found["name"]):
        raise UserError(f"these names are not in {path}: {missing}")
    return chosen


def _missing(listed: pa.Array, known: pa.ChunkedArray) -> str:
    """Which of some values are not known, as a list in words."""
    is_known = pc.is_in(listed, known.combine_chunks())
    return ", ".join(map(str, listed.filter(pc.invert(is_known)).to_pylist()))


def from_summaries(summaries: list[np.ndarray], selection: Selection) -> Chosen:
    """As `from_table`, from the summaries of the shards that are finished (dtype SUMMARY).

    Labels of `ids` that are not there yet are selected all the same. Raises UserError for a
    condition or a name: only the table has them.
    """
    if selection.where is not None:
        raise UserError("--where needs segments.parquet, which a run writes at its end")
    for name in (i for i in selection.ids or () if isinstance(i, str)):
        raise UserError(f"the name {name!r} needs segments.parquet, which a run writes at its end")
    if selection.ids is None:
        return _found(summaries, selection)
    listed = sorted({i for i in selection.ids if isinstance(i, int)})
    are_listed = (rows[np.isin(rows["label"], np.array(listed, np.uint64))] for rows in summaries)
    return replace(_found(are_listed, selection), labels=listed, of=len(listed))


def _summary(batch: pa.RecordBatch) -> np.ndarray:
    """Rows of the table, dtype SUMMARY, of which label, volume, area and bounds are set."""
    rows = np.zeros(len(batch), SUMMARY)
    for name in ("label", "volume", "area"):
        rows[name] = batch[name]
    for i, axis in enumerate("xyz"):
        rows["lower"][:, i], rows["upper"][:, i] = batch[f"{axis}_min"], batch[f"{axis}_max"]
    return rows


def _found(parts: Iterable[np.ndarray], selection: Selection) -> Chosen:
    """The segments to select among these rows, dtype SUMMARY."""
    choice = first_choice(parts) if selection.is_none else _largest(parts, selection.most)
    rows = choice.rows[np.lexsort((choice.rows["label"], -choice.rows["volume"]))]
    boxes_nm = np.stack([rows["lower"], rows["upper"]], axis=1)
    labels = rows["label"].tolist()
    return Chosen(labels, choice.count, boxes_nm, selection.is_none, choice.crossings)


def _largest(parts: Iterable[np.ndarray], most: int) -> Choice:
    """The `most` rows with the largest volumes, and how many there are. dtype SUMMARY."""
    rows, count = np.empty(0, SUMMARY), 0
    for part in parts:
        count += len(part)
        rows = largest(np.concatenate([rows, part]), most)
    return Choice(rows, count)
