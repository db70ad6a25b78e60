"""The work of a function, counted: unlike seconds, it does not depend on the machine."""

import sys
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple


class Work(NamedTuple):
    """Calls of functions, those of Python and those in C, and the peak of the memory in bytes."""

    calls: int
    peak_bytes: int

    def is_within(self, most: "Work") -> bool:
        """Whether neither number is larger than that of `most`."""
        return self.calls <= most.calls and self.peak_bytes <= most.peak_bytes


def work_of(function: Callable[[], object]) -> Work:
    """What a call of a function takes in this thread; its result is lost."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    tracemalloc.start()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return Work(calls, peak)
