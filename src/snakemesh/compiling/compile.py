"""Compile all functions of parts of the program, with several processes, and keep the code."""

import gc
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from numba.core.registry import cpu_target

from snakemesh.compiling.quick_numba import use_quick_numba
from snakemesh.compiling.stages import STAGES
from snakemesh.kernels import kernel_files

# Code that was compiled more than this many seconds ago, half a year, is removed.
_KEPT_S = 180 * 24 * 3600


def compile_parts(parts: list[str], cores: int) -> None:
    """Compile what is not kept yet of these parts of the program (`STAGES`).

    Also copies what is kept in the user's cache to the folder beside the code.
    """
    stages = [(part, number) for part in parts for number in range(len(STAGES[part]))]
    use_quick_numba()
    cpu_target.target_context.refresh()  # what each process would begin with
    # the compiler makes millions of small objects, which Python would look through again and again
    gc.freeze()
    gc.set_threshold(50_000, 20, 1000)
    context = multiprocessing.get_context("fork")  # with everything that is imported already
    with ProcessPoolExecutor(min(cores, len(stages)), context) as pool:
        list(pool.map(_compile, stages))
    kernel_files.remove_older(time.time() - _KEPT_S)
    for part in parts:
        kernel_files.set_ready(part)


def _compile(stage: tuple[str, int]) -> None:
    part, number = stage
    STAGES[part][number]()
