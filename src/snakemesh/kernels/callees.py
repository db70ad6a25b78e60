"""Functions as other compiled functions call them: their code is only a part of the caller's.

numba makes machine code of every compiled function, and a wrapper through which Python calls it,
even if only compiled functions call it. Those link and optimise its intermediate code once more,
because LLVM inlines most of it. So here, a function that is called by another one gets intermediate
code only. Machine code is made for what Python calls, with everything below it, which takes a third
less time.

This holds for the functions that `compiled` decorates, and for those of numba that stand for
functions of numpy: numba asks for no wrapper of them either.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba.core import codegen as numba_codegen
from numba.core.environment import lookup_environment
from numba.core.registry import cpu_target

# How the name of a wrapper begins, and that of a variable with the address of an environment: the
# object in which numba keeps the constants of a function.
_WRAPPER = "_ZN7cpython"
_ENVIRONMENT = "_ZN08NumbaEnv"

# numba's stubs do not know what is used of it here
_JITCodeLibrary: Any = numba_codegen.JITCodeLibrary


def callee(function: Callable[..., Any], of: Any, options: dict[str, Any]) -> Any:
    """A dispatcher of a function for calls from compiled functions. Python cannot call it.

    of: the dispatcher for calls from Python. options: those of numba.
    """
    compiling: Any = numba.njit
    found: Any = compiling(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)
    # by this, numba notices that a function calls itself
    found._compiling_counter = of._compiling_counter
    return found


class _Library(_JITCodeLibrary):  # type: ignore[misc]
    """The code of one function and of all that it calls. Not executable without a wrapper."""

    def finalize(self) -> None:
        """Make machine code of a function with a wrapper; only link any other one."""
        module = self._final_module
        if any(f.name.startswith(_WRAPPER) and not f.is_declaration for f in module.functions):
            super().finalize()
            self._set_environments()
            return
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            module.link_in(library._get_module_for_linking(), preserve=True)
        module.verify()
        self._finalize_dynamic_globals()
        self._finalized = True

    def _set_environments(self) -> None:
        """Tell the machine code where the environments of all functions in it are."""
        for variable in self._final_module.global_variables:
            if variable.name.startswith(_ENVIRONMENT):
                environment = lookup_environment(variable.name)
                if environment is not None:
                    self._codegen.set_env(variable.name, environment)


def _set_environment(codegen: Any, name: str, environment: Any) -> None:
    """Set the address of an environment, as numba does; of code that is not executable, none."""
    address = codegen._engine.get_global_value_address(name)
    if address:
        ctypes.c_void_p.from_address(address).value = id(environment)


@cache
def compile_callees_as_parts() -> None:
    """Have numba use `_Library` for all that it compiles from now on in this process."""
    target: Any = cpu_target.target_context
    target.refresh()  # after its own runtime, which is machine code without a wrapper
    codegen = target.codegen()
    codegen._library_class = _Library
    codegen.set_env = lambda name, environment: _set_environment(codegen, name, environment)
