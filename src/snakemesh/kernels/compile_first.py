"""Compiling what jobs need before the first one starts.

A thousand first jobs on a cluster would compile the same functions a thousand times, at half a
minute of CPU each. So a run does it once, by a process of its own: planning does not import numba.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Collection

from snakemesh.kernels import kernel_files

# The parts of the program that the jobs of a rule need (`compiling.stages`).
PARTS = {
    "pyramid_super_chunk": "pyramid",
    "mesh_block": "mesh",
    "measure_block": "measure",
    "verify_voxels": "verify",
    "mesh_small_lods": "mesh",
}
# Processes on the login node of a cluster.
_CORES_OF_LOGIN_NODE = 4


def needed_parts(rules: Collection[str], has_label_map: bool) -> list[str]:
    """The parts of the program whose compiled functions jobs of these rules need."""
    needed = sorted({part for rule, part in PARTS.items() if rule in rules})
    if has_label_map and {"pyramid", "mesh", "measure"} & set(needed):
        needed.append("bodies")
    return needed


def parts_to_compile(rules: Collection[str], has_label_map: bool) -> list[str]:
    """The parts of the program that jobs of these rules need and that are not compiled yet.

    None where nothing could be kept, or this Python has no numba: jobs have an environment of
    their own then, and compile by themselves.
    """
    needed = needed_parts(rules, has_label_map)
    if importlib.util.find_spec("numba") is None or not kernel_files.can_be_kept():
        return []
    return [part for part in needed if not kernel_files.is_ready(part)]


def compile_first(parts: list[str], cores: int | None, warn: Callable[[str], None]) -> None:
    """Compile these parts of the program before the first job.

    cores: how many processes to use at most; None on a cluster. warn: is called with a message if
    compiling fails; jobs then compile what they need.
    """
    processes = min(cores or _CORES_OF_LOGIN_NODE, len(os.sched_getaffinity(0)))
    line = [sys.executable, "-m", "snakemesh.compiling", str(processes), *parts]
    try:
        done = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    except OSError as error:  # no room for a process
        done, reason = None, str(error)
    if done is None or done.returncode != 0:
        warn(f"its functions could not be compiled before the first job, jobs do it: {reason}")
