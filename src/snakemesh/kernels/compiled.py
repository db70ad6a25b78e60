"""Compiled functions: `njit` is numba's, but for the way in which code is kept and shared.

- Code is kept in `kernel_files`, under a hash of all that it depends on: `fingerprint` of the
  function and of those it calls, the types of the arguments, and what compiles.
- It is compiled for a CPU that all nodes have, so what one node compiles serves the others.
- Calls between compiled functions pass integers with a sign as int64. Without this, numba would
  compile a function again for each constant and for int32: a quarter of all code.
"""

import pickle
import sys
from collections.abc import Callable
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import caching, compiler, serialize
from numba.core import config as numba_config
from numba.core import types as numba_types
from numba.core.runtime import nrt

from snakemesh.kernels import kernel_files
from snakemesh.kernels.callees import callee, compile_callees_as_parts
from snakemesh.kernels.fingerprint import fingerprint

__all__ = ["njit"]

# numba's stubs do not know these
config: Any = numba_config
types: Any = numba_types

if config.CPU_NAME is None and kernel_files.cpu_target() is not None:
    config.CPU_NAME, config.CPU_FEATURES = kernel_files.cpu_target(), ""

# What compiles. The settings are those of numba that change code.
_COMPILER = (
    (sys.implementation.cache_tag, sys.version_info[:3]),
    (numba.__version__, llvmlite.__version__, np.__version__),
    (str(config.OPT), config.BOUNDSCHECK, config.DEBUGINFO_DEFAULT, config.USING_SVML),
    (config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.LLVM_REFPRUNE_PASS),
)


def njit(
    *, cache: bool, allocates: bool = True, **options: Any
) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function that numba compiles.

    cache: whether code is kept. options: of numba.
    allocates: False for a function that makes no array, calls none that does, and returns none.
    numba then leaves out the counting of references, which is atomic and took a fifth of a block.
    """
    if not allocates:
        options["_nrt"] = False  # numba's own name for it, and not a public one

    def decorate(function: Callable[..., Any]) -> Any:
        compiling: Any = numba.njit
        # nobody takes the address of a function, for which numba would wrap it once more
        dispatcher: Any = compiling(no_cfunc_wrapper=True, **options)(function)
        if dispatcher is not function:  # which it is with NUMBA_DISABLE_JIT
            called = callee(function, dispatcher, options)
            dispatcher.get_call_template = _widening(called.get_call_template)
            dispatcher.get_overload = called.get_overload
            if cache:
                # numba has no setting for that; its own cache is one more class like this
                dispatcher._cache = _Kept(dispatcher)
        return dispatcher

    return decorate


class _Kept(caching._Cache):
    """The code of a function, in place of numba's own cache."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    @property
    def cache_path(self) -> str:
        return str(kernel_files.folders()[0])

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled for a signature, or None."""
        # what machine code calls; the rest of `refresh`, a third of a second, is for compiling
        nrt.rtsys.initialize(target_context)
        kept = kernel_files.read(self._name(sig, target_context))
        if kept is None:
            compile_callees_as_parts()
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(kept))

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Keep what was compiled.

        Raises TypeError if a function that counts no references returns an array: its caller would
        free the array once too often.
        """
        counts = self._dispatcher.targetoptions.get("_nrt", True)
        if not counts and _holds_an_array(cres.signature.return_type):
            raise TypeError(f"{self._dispatcher.py_func} returns an array: allocates must be True")
        if not cres.library.has_dynamic_globals:  # addresses of this process
            content = serialize.dumps(cres._reduce())
            kernel_files.write(self._name(sig, cres.target_context), content)

    def enable(self) -> None:
        """Always enabled."""

    def disable(self) -> None:
        """Always enabled."""

    def flush(self) -> None:
        """Nothing is ever out of date."""

    def _name(self, sig: Any, target_context: Any) -> str:
        name = self._dispatcher.py_func.__name__
        depends_on = (_COMPILER, target_context.codegen().magic_tuple(), _described(sig))
        return f"{name}.{fingerprint(self._dispatcher, repr(depends_on))[:40]}"


def _holds_an_array(kind: Any) -> bool:
    if isinstance(kind, types.BaseTuple):
        return any(map(_holds_an_array, kind.types))
    return isinstance(kind, types.Array)


def _described(sig: Any) -> str:
    """A signature in words. numba's own for a named tuple leaves out the names in it."""
    if isinstance(sig, types.BaseNamedTuple):
        whose = (sig.instance_class.__module__, sig.instance_class.__qualname__, sig.fields)
        return f"{whose} {[_described(t) for t in sig.types]}"
    if isinstance(sig, types.BaseTuple):
        return f"{type(sig).__name__} {[_described(t) for t in sig.types]}"
    if isinstance(sig, tuple):
        return f"{[_described(t) for t in sig]}"
    return repr(sig)


def _widening(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def widened(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return resolve(tuple(map(_wide, args)), {name: _wide(t) for name, t in kws.items()})

    return widened


def _wide(argument: Any) -> Any:
    if isinstance(argument, types.IntegerLiteral | types.BooleanLiteral):
        argument = types.unliteral(argument)
    return types.int64 if argument in (types.int8, types.int16, types.int32) else argument
