"""Which segments are shown: the largest ones, or those that the user names or asks for."""

import ast
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from snakemesh.errors import UserError

_COMPARED = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_COMPUTED = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
# What Python and pyarrow raise for texts that are no expression, too deep, or of huge numbers.
_ODD = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)
_BOUNDS = ["x_min", "y_min", "z_min", "x_max", "y_max", "z_max"]
_COLUMNS = ["label", "volume", *_BOUNDS]


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
    chosen = None
    if ids is not None:
        ids = sorted(set(ids))
        chosen = pc.field("label").isin(pa.array(ids, pa.uint64()))
    elif where is not None:
        chosen = expression(where, table.schema.names)
    try:
        found, count = _largest(table.to_batches(columns=_COLUMNS, filter=chosen), most)
    except (pa.ArrowException, TypeError) as error:
        raise UserError(f"{where!r} cannot be computed: {str(error).splitlines()[0]}") from error
    if ids is not None and count < len(ids):
        known = set(found["label"].to_pylist())
        missing = ", ".join(str(label) for label in ids if label not in known)
        raise UserError(f"these labels are not in {path}: {missing}")
    bounds = np.stack([found[name].to_numpy() for name in _BOUNDS], axis=-1)
    return _chosen(found["label"].to_numpy(), bounds, count)


def from_summaries(
    summaries: list[np.ndarray], most: int, ids: Iterable[int] | None = None
) -> Chosen:
    """As `from_table`, from the summaries of the shards that are finished (dtype SUMMARY).

    Labels of `ids` that are not there yet are selected all the same.
    """
    listed = None if ids is None else sorted(set(ids))
    if not summaries:
        return Chosen(listed or [], len(listed or []))
    rows = np.concatenate(summaries)
    if listed is not None:
        rows = rows[np.isin(rows["label"], np.array(listed, np.uint64))]
    order = np.argsort(-rows["volume"], kind="stable")[:most]
    bounds = np.concatenate([rows["lower"], rows["upper"]], axis=-1)[order]
    found = _chosen(rows["label"][order], bounds, len(rows))
    return found if listed is None else Chosen(listed, len(listed), found.lower, found.upper)


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
                raise UserError(f"{node.id!r} in {text!r} is no column, expected one of {known}")
            case ast.Constant(value=int(number)) if number >= 1 << 63:
                return pc.scalar(pa.scalar(number, pa.uint64()))
            case ast.Constant(value=bool() | int() | float() | str()):
                return pc.scalar(node.value)
            case ast.UnaryOp(op=ast.Not()):
                return ~condition(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return pc.negate(meaning(node.operand))
            case ast.BinOp() if type(node.op) in _COMPUTED:
                return _COMPUTED[type(node.op)](meaning(node.left), meaning(node.right))
            case ast.BoolOp():
                join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
                return _joined(join, [condition(value) for value in node.values])
            case ast.Compare() if all(type(op) in _COMPARED for op in node.ops):
                sides = [meaning(side) for side in (node.left, *node.comparators)]
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                return _joined(operator.and_, [_COMPARED[type(op)](a, b) for op, a, b in pairs])
        raise UserError(f"{text!r} is no condition such as 'volume > 1e9 and lods >= 2'")

    def condition(node: ast.AST) -> pc.Expression:
        if not isinstance(node, ast.Compare | ast.BoolOp) and not (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            raise UserError(f"{text!r} is no condition such as 'volume > 1e9 and lods >= 2'")
        return meaning(node)

    try:
        return condition(ast.parse(text.strip(), mode="eval").body)
    except UserError:
        raise
    except (*_ODD, pa.ArrowException) as error:
        raise UserError(f"{text!r} is no condition such as 'volume > 1e9 and lods >= 2'") from error


def _joined(join: Callable[[Any, Any], Any], parts: list[pc.Expression]) -> pc.Expression:
    joined = parts[0]
    for part in parts[1:]:
        joined = join(joined, part)
    return joined


def _largest(batches: Iterable[pa.RecordBatch], most: int) -> tuple[pa.Table, int]:
    """The `most` rows with the largest volumes, largest first, and the number of all rows."""
    found, count = None, 0
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        count += len(rows)
        found = rows if found is None else pa.concat_tables([found, rows])
        if len(found) > most:
            order = [("volume", "descending"), ("label", "ascending")]
            found = found.take(pc.select_k_unstable(found, most, order))
    if found is None:
        return pa.table({name: [] for name in _COLUMNS}), 0
    return found.sort_by([("volume", "descending"), ("label", "ascending")]), count


def _chosen(labels: np.ndarray, bounds: np.ndarray, count: int) -> Chosen:
    """bounds: lower and upper ends of each label's box, shape (labels, 6), nm, x y z."""
    if not len(labels):
        return Chosen([], count)
    lower, upper = bounds[:, :3].min(axis=0), bounds[:, 3:].max(axis=0)
    return Chosen([int(label) for label in labels], count, lower, upper)
