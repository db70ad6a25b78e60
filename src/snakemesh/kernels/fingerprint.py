"""What the code of a compiled function depends on: a hash of it.

numba freezes whatever a function refers to: the functions that it calls, the constants of its
module. All of these count, wherever they are defined. Comments, docstrings and places of lines do
not.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

# Modules whose functions numba knows: its version stands for what it makes of them.
_KNOWN_MODULES = ("numpy", "math")


def fingerprint(function: Dispatcher, also: str) -> str:
    """A hash of a compiled function, of all that it calls and refers to, and of the text `also`.

    Raises TypeError if it refers to something that this module cannot describe.
    """
    reached = [function]
    for each in reached:
        reached += [called for called in called_by(each) if called not in reached]
    text = "\n".join([also, *(_own(each)[0] for each in reached)])
    return hashlib.sha256(text.encode()).hexdigest()


def called_by(function: Dispatcher) -> tuple[Dispatcher, ...]:
    """The compiled functions that a compiled function refers to."""
    return _own(function)[1]


@cache
def _own(function: Dispatcher) -> tuple[str, tuple[Dispatcher, ...]]:
    """What a function is by itself, and the compiled functions that it refers to."""
    py_func = function.py_func
    calls: list[Dispatcher] = []
    parts = [_name(py_func), repr(sorted(function.targetoptions.items()))]
    parts += _code(py_func.__code__, py_func.__doc__)
    for cell in py_func.__closure__ or ():
        parts.append(_value(cell.cell_contents, calls))
    parts.append(_value(py_func.__defaults__, calls))
    for name in sorted(set(_names(py_func.__code__))):
        if name in py_func.__globals__:
            parts.append(f"{name} = {_value(py_func.__globals__[name], calls)}")
    return "\n".join(parts), tuple(calls)


def _code(code: CodeType, docstring: str | None) -> Iterator[str]:
    """A code object, without what only tracebacks show."""
    yield repr((code.co_code, code.co_exceptiontable, code.co_flags, code.co_argcount))
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant, None)
        elif constant is not docstring or docstring is None:
            yield _value(constant, [])


def _names(code: CodeType) -> Iterator[str]:
    """The names in a code object: of what it refers to, and of attributes."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _value(value: Any, calls: list[Dispatcher]) -> str:
    """A value in words. Compiled functions are added to `calls`."""
    if isinstance(value, Dispatcher):
        calls.append(value)
        return f"compiled {_name(value.py_func)}"
    if isinstance(value, np.ndarray):
        return f"array {value.dtype.str} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, np.generic):
        return f"{value.dtype.str} {value.tobytes().hex()}"
    if isinstance(value, tuple):
        return f"{_name(type(value))} ({', '.join(_value(item, calls) for item in value)})"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, type):
        return f"class {_name(value)} {getattr(value, '_fields', '')}"
    if isinstance(value, BuiltinFunctionType | np.ufunc | np.dtype):
        return repr(value)
    if isinstance(value, ModuleType) and value.__name__ in _KNOWN_MODULES:
        return value.__name__
    raise TypeError(f"a compiled function refers to {value!r}: say in {__name__} what it is")


def _name(what: Any) -> str:
    return f"{what.__module__}.{what.__qualname__}"
