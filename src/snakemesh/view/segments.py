"""Which segments are shown: the largest ones, or those that the user names or asks for."""

import ast
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from snakemesh.errors import UserError
from snakemesh.tables.measures import SUMMARY
from snakemesh.tables.summaries import largest

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.And: operator.and_,
    ast.Or: operator.or_,
}
# What Python and pyarrow raise for texts that are no expression, too deep, or of huge numbers.
_ODD = (SyntaxError, ValueError, LookupError, OverflowError, RecursionError, MemoryError)
_COLUMNS = ["label", "volume", *(f"{axis}_{end}" for end in ("min", "max") for axis in "xyz")]


@dataclass(frozen=True)
class Chosen:
    """The segments that are selected, largest first, and how many were meant.

    lower, upper: the box around them all in nm, x y z; None if it is not known.
    """

    labels: list[int]
    of: int
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None


def from_table(
    path: Path, most: int, ids: Iterable[int] | None = None, where: str | None = None
) -> Chosen:
    """The `most` largest segments of `segments.parquet`, of all or of those that are meant.

    ids: labels. where: an expression over the columns (see `expression`). Raises UserError, one
    line, for a label that is not there, or an expression that is none.
    """
    try:
        table = ds.dataset(path, format="parquet")
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    chosen, what = None, f"{where!r}"
    if ids is not None:
        listed = pa.array(sorted(set(ids)), pa.uint64())
        chosen, what = pc.field("label").isin(listed), str(path)
    elif where is not None:
        chosen = expression(where, table.schema.names)
    try:
        batches = table.to_batches(columns=_COLUMNS, filter=chosen)
        found = _largest(map(_summary, batches), most)
        if ids is not None and found.of < len(listed):
            known = table.to_table(columns=["label"], filter=chosen)["label"].combine_chunks()
            missing = listed.filter(pc.invert(pc.is_in(listed, known))).to_pylist()
            named = ", ".join(map(str, missing))
            raise UserError(f"these labels are not in {path}: {named}")
    except (pa.ArrowException, TypeError) as error:
        raise UserError(f"{what} cannot be computed: {str(error).splitlines()[0]}") from error
    return found


def from_summaries(
    summaries: list[np.ndarray], most: int, ids: Iterable[int] | None = None
) -> Chosen:
    """As `from_table`, from the summaries of the shards that are finished (dtype SUMMARY).

    Labels of `ids` that are not there yet are selected all the same.
    """
    if ids is None:
        return _largest(summaries, most)
    listed = sorted(set(ids))
    are_listed = (rows[np.isin(rows["label"], np.array(listed, np.uint64))] for rows in summaries)
    return replace(_largest(are_listed, most), labels=listed, of=len(listed))


def expression(text: str, columns: Iterable[str]) -> pc.Expression:
    """The filter that a text such as "volume > 1e9 and not lods < 3" means.

    It may compare columns, numbers and texts in quotes, compute with + - * /, and join comparisons
    by and, or, not. Nothing in it is run. Raises UserError, one line, for anything else.
    """
    names = set(columns)

    def meaning(node: ast.AST) -> Any:
        match node:
            case ast.Name() if node.id in names:
                return pc.field(node.id)
            case ast.Name():
                known = ", ".join(sorted(names))
                raise UserError(f"{node.id!r} in {text!r} is not a column, expected one of {known}")
            case ast.Constant(value=int(number)) if number >= 1 << 63:
                return pc.scalar(pa.scalar(number, pa.uint64()))
            case ast.Constant(value=bool() | int() | float() | str()):
                return pc.scalar(node.value)
            case ast.UnaryOp(op=ast.USub()):
                return pc.negate(meaning(node.operand))
            case ast.BinOp():
                return _OPERATORS[type(node.op)](meaning(node.left), meaning(node.right))
        return condition(node)

    def condition(node: ast.AST) -> pc.Expression:
        match node:
            case ast.UnaryOp(op=ast.Not()):
                return ~condition(node.operand)
            case ast.BoolOp():
                return reduce(_OPERATORS[type(node.op)], map(condition, node.values))
            case ast.Compare():
                sides = [meaning(side) for side in (node.left, *node.comparators)]
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                return reduce(operator.and_, [_OPERATORS[type(op)](a, b) for op, a, b in pairs])
        raise ValueError

    try:
        return condition(ast.parse(text.strip(), mode="eval").body)
    except UserError:
        raise
    except (*_ODD, pa.ArrowException) as error:
        raise UserError(
            f"{text!r} is not a condition such as 'volume > 1e9 and lods >= 2'"
        ) from error


def _summary(batch: pa.RecordBatch) -> np.ndarray:
    """Rows of the table, dtype SUMMARY, of which only label, volume and bounds are set."""
    rows = np.zeros(len(batch), SUMMARY)
    rows["label"], rows["volume"] = batch["label"], batch["volume"]
    for i, axis in enumerate("xyz"):
        rows["lower"][:, i], rows["upper"][:, i] = batch[f"{axis}_min"], batch[f"{axis}_max"]
    return rows


def _largest(parts: Iterable[np.ndarray], most: int) -> Chosen:
    """The `most` rows with the largest volumes. parts: dtype SUMMARY."""
    rows, count = np.empty(0, SUMMARY), 0
    for part in parts:
        count += len(part)
        rows = largest(np.concatenate([rows, part]), most)
    if not len(rows):
        return Chosen([], count)
    rows = rows[np.lexsort((rows["label"], -rows["volume"]))]
    ends = rows["lower"].min(axis=0), rows["upper"].max(axis=0)
    return Chosen(rows["label"].tolist(), count, *ends)
