"""Compiled functions, with a cache that notices every change of them.

numba keeps a compiled function until its own file changes. A function that calls one of another
file would go on with what that was. So each is kept with a hash of all files with compiled
functions: a change in any of them compiles them all again.
"""

import hashlib
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching

__all__ = ["njit"]


def _code() -> str:
    """A hash of all files of the package that have compiled functions."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parent.rglob("*.py")):
        text = path.read_bytes()
        if b"njit" in text:
            code.update(text)
    return code.hexdigest()


_CODE = _code()
# numba has no setting for that; tests/unit/test_compiled.py shows that it does what it should.
_locator: Any = caching._SourceFileBackedLocatorMixin
_locator.get_source_stamp = lambda self: _CODE
