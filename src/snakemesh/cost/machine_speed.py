"""How fast this machine is, measured by the jobs of earlier runs, for the times that a plan prints.

The rates of `estimates` are those of one machine. At its end, a run compares them with the CPU
seconds in the logs of its meshing jobs. The ratio is kept beside the compiled functions, where all
clones and outputs of a user find it, in a file that is named after the processor: nodes of a
cluster that share the folder do not read the ratio of another kind of node. Only printed times
depend on it. Where it is missing or damaged, plans print the times of `estimates`.
"""

import hashlib
import os
import platform
import re
from collections.abc import Iterable
from contextlib import suppress

from snakemesh.cost.estimates import START_S
from snakemesh.kernels import kernel_files

# The rules that are compared: nearly all of the time, and no waiting for disks.
MEASURED_RULES = ("mesh_block", "mesh_small_lods")
# The most logs that are read. 200 blocks of a volume vary less than machines do.
MOST_LOGS = 200
# Fewer expected seconds than this say nothing: functions are loaded in the first job.
_LEAST_S = 2.0
# Ratios outside of this range are mistakes, such as the clock of a machine that was suspended.
_LEAST, _MOST = 0.02, 50.0
_CPU_SECONDS = re.compile(r"  cpu_s (\d+\.\d+)  seconds ")


def measured_ratio(jobs: Iterable[tuple[str, float]]) -> float | None:
    """CPU seconds of finished jobs, divided by the seconds that were expected of them.

    jobs: the log of each job, and the expected seconds with its start. Jobs whose log does not say
    how long they took are left out. None if the others are too short to say anything.
    """
    took = expected = 0.0
    for log, seconds in jobs:
        with suppress(OSError), open(log, encoding="utf-8", errors="replace") as file:
            if found := _CPU_SECONDS.search(file.read()):
                took += float(found[1])
                expected += seconds - START_S
    ratio = took / expected if expected >= _LEAST_S else 0.0
    return ratio if _LEAST < ratio < _MOST else None


def keep_ratio(ratio: float) -> None:
    """Keep the ratio of this machine, where a folder can be written."""
    kernel_files.write(_name(), f"{ratio:.3g}".encode())


def kept_ratio() -> float | None:
    """The ratio that the latest run on such a machine has measured; None if there is none."""
    with suppress(ValueError):
        ratio = float(kernel_files.read(_name()) or b"")
        return ratio if _LEAST < ratio < _MOST else None
    return None


def machine() -> str:
    """The processor of this machine, and how many of it: "AMD EPYC 25/17/1 x 32".

    The numbers are family, model and stepping: virtual machines give many processors one name.
    """
    facts: dict[str, str] = {}
    with suppress(OSError), open("/proc/cpuinfo") as file:
        for key, _, value in (line.partition(":") for line in file):
            facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    numbers = "/".join(facts.get(key, "") for key in ("cpu family", "model", "stepping"))
    return f"{name} {numbers} x {os.cpu_count()}"


def _name() -> str:
    return f"speed.{hashlib.sha256(machine().encode()).hexdigest()[:32]}"
