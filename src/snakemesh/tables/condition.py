"""Conditions over the columns of a table, as users type them after `--where`."""

import ast
import operator
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snakemesh.errors import UserError

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

    def compared(node: ast.AST) -> Any:
        """As `meaning`; a number is unsigned, because int64 does not compare with large labels."""
        match node:
            case ast.Constant(value=int(number)) if number is not True and number is not False:
                return pc.scalar(pa.scalar(number, pa.uint64()))
        return meaning(node)

    def condition(node: ast.AST) -> pc.Expression:
        match node:
            case ast.UnaryOp(op=ast.Not()):
                return ~condition(node.operand)
            case ast.BoolOp():
                return reduce(_OPERATORS[type(node.op)], map(condition, node.values))
            case ast.Compare():
                sides = [compared(side) for side in (node.left, *node.comparators)]
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
