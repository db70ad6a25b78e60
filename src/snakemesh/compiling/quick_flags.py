"""numba's compiler in less time: it compares its flags 50,000 times while it compiles a mesh job.

Each comparison makes two dicts of 22 values by a property each, a fifteenth of the time of
compiling. Flags that were set alike are equal; only others are compared in numba's way.
"""

from typing import Any

from numba.core.targetconfig import TargetConfig


def use_quick_flags() -> None:
    """Have numba compare flags by what was set of them, in this process."""
    compare = TargetConfig.__eq__

    def are_equal(flags: Any, others: Any) -> Any:
        if type(flags) is type(others) and flags._values == others._values:
            return True
        return compare(flags, others)

    if hasattr(TargetConfig(), "_values"):
        TargetConfig.__eq__ = are_equal  # type: ignore[method-assign]
