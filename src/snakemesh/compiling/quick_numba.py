"""numba's compiler in five sixths of the time, with the same machine code as its result.

What it does over and over without any effect on the code is left out or kept. All of this replaces
private parts of numba, so it is done for the versions alone that `_TRIED` names. Other versions
compile in their own time. `tests/unit/kernels/test_quick_numba.py` compares the code.
"""

from collections.abc import Iterable
from typing import Any

import numba
from llvmlite.binding import ffi
from numba.core import codegen as numba_codegen
from numba.core import ir as numba_ir
from numba.core import lowering as numba_lowering
from numba.core import types as numba_types
from numba.core.targetconfig import TargetConfig

_TRIED = ("0.68.",)

# numba's stubs do not know what is used of it here
codegen: Any = numba_codegen
ir: Any = numba_ir
lowering: Any = numba_lowering
types: Any = numba_types


def use_quick_numba() -> None:
    """Have numba compile in less time, in this process."""
    if not numba.__version__.startswith(_TRIED):
        return
    _compare_flags_by_what_is_set()
    _keep_types_of_calls()
    ir.Inst._rec_list_vars = lambda _, value: _variables([value])
    codegen.CPUCodeLibrary._optimize_functions = _optimize_functions
    # Each function of numba's own gets a wrapper for C, and nobody calls one.
    lowering.BaseLower.create_cfunc_wrapper = lambda _: None
    # 100,000 calls of LLVM are announced to whoever measures them.
    lock: Any = ffi.lib._lock
    lock._cblist.clear()


def _compare_flags_by_what_is_set() -> None:
    """Compare flags 200,000 times without a dict of all 22 values, made by a property each."""
    flags_class: Any = TargetConfig
    compare = flags_class.__eq__

    def are_equal(flags: Any, others: Any) -> Any:
        if type(flags) is type(others) and flags._values == others._values:
            return True
        return compare(flags, others)

    def hash_of(flags: Any) -> int:
        default = type(flags).options
        return hash(frozenset(k for k, v in flags._values.items() if v != default[k].default))

    def values(flags: Any) -> Any:
        return {name: option.default for name, option in flags.options.items()} | flags._values

    flags_class.__eq__, flags_class.__hash__, flags_class.values = are_equal, hash_of, values


def _keep_types_of_calls() -> None:
    """Keep what a call of numba's own functions returns, by the types of numbers and arrays.

    To find `int64 + int64`, numba tries ten rules. Functions that are written in Python stay out:
    what numba compiles of them depends on the flags of the caller.
    """
    plain = (types.Integer, types.Float, types.Boolean, types.Array)
    resolve = types.BaseFunction.get_call_type

    def resolved(function: Any, context: Any, args: Any, kws: Any) -> Any:
        if kws or not all(isinstance(a, plain) and not isinstance(a, types.Literal) for a in args):
            return resolve(function, context, args, kws)
        kept = function.__dict__.setdefault("_kept_by_snakemesh", {})
        if args not in kept:
            signature = resolve(function, context, args, kws)
            if function._impl_keys[signature.args] is not function.typing_key:
                return signature
            kept[args] = signature
        return kept[args]

    types.BaseFunction.get_call_type = resolved


def _variables(values: Iterable[Any]) -> list[Any]:
    """The variables in parts of an instruction of numba's, in order, as often as they occur."""
    found: list[Any] = []
    for value in values:
        kind = value.__class__
        if kind is ir.Var:
            found.append(value)
        elif kind is str or kind is ir.Loc:
            continue
        elif isinstance(value, ir.Inst):
            found += value.list_vars()
        elif isinstance(value, list | tuple):
            found += _variables(value)
        elif isinstance(value, dict):
            found += _variables(value.values())
    return found


def _optimize_functions(library: Any, module: Any) -> None:
    """Optimise each function of a module as numba does, but for those that are only declared."""
    module.data_layout = library._codegen._data_layout
    for function in module.functions:
        if not function.is_declaration:
            passes, builder = library._codegen._function_pass_manager()
            passes.run(function, builder)
