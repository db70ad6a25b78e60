"""What failed jobs were short of: a further attempt asks for more of that, and of nothing else.

Only the run that plans knows this, from what `failed_jobs` reads. A job of a cluster plans again,
but finds nothing here and needs nothing: the run has already asked the scheduler.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache

from snakemesh.cost.failure_reasons import MEMORY, TIME

# An attempt asks for this many times what was too little for the one before.
_MORE = 2


class Shortages:
    """How often each job was short of memory and of time.

    A job is known by its rule and its wildcards.
    """

    def __init__(self) -> None:
        self._times: Counter[tuple[object, ...]] = Counter()

    def note(self, rule: str, wildcards: Mapping[str, str], short_of: Collection[str]) -> None:
        """Take note of a failed attempt. short_of: MEMORY, TIME, both or neither."""
        for resource in (MEMORY, TIME):
            self._times[_key(rule, wildcards, resource)] += resource in short_of

    def factor(self, rule: str, wildcards: Mapping[str, str], resource: str) -> int:
        """The factor of what the first attempt at a job asked for. resource: MEMORY or TIME."""
        return int(_MORE ** self._times[_key(rule, wildcards, resource)])


@cache
def shortages_of(root: str) -> Shortages:
    """What jobs of this process's run were short of; `root` is its output directory.

    Snakemake reads a Snakefile anew for each `use rule ... with`.
    """
    return Shortages()


def _key(rule: str, wildcards: Mapping[str, str], resource: str) -> tuple[object, ...]:
    return rule, resource, *sorted(wildcards.items())
