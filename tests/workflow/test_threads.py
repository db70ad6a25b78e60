"""Each job has one core of a cluster and must keep to it, whatever the machine has."""

import json
import os
import subprocess

import numpy as np
import pytest
from conftest import write_volume

from running import command

# Threads of tensorstore have this name. They read and decode, and write and encode.
OF_TENSORSTORE = "ts_pool_worker"
# CPU time of all further threads and processes, as a part of that of the main thread. Some
# libraries have a thread that waits for an event: all of these together need a twentieth. If two
# threads share the work, the second one needs as much as the first.
OTHERS = 0.5
# Python runs this before each script of the run, or before the process that these are forked from.
# At its end, the script tells which pools of threads it has used, and the CPU time of each thread.
AT_EXIT = """
import atexit, ctypes, json, os, pathlib, resource, sys, threading, time
import tensorstore

pools = {}  # the most threads that a pool had, by its name
ended = []  # CPU time of threads of Python that have ended, ns

def note(pool, threads):
    pools[pool] = max(threads, pools.get(pool, 0))

def open_and_note(*arguments, open_store=tensorstore.open, **options):
    if options.get("open", True):  # with False, it only writes the document of a store
        spec = options["context"]["data_copy_concurrency"].to_json()
        note("tensorstore", spec.get("limit", os.cpu_count()))
    return open_store(*arguments, **options)

def run_and_note(thread, run=threading.Thread.run):
    try:
        run(thread)
    finally:
        ended.append(time.thread_time_ns())

def tell():
    if "worldarray" in sys.modules:
        note("worldarray", sys.modules["worldarray"].thread_budget())
    if parallel := sys.modules.get("numba.np.ufunc.parallel"):
        note("numba", parallel.get_num_threads() if parallel._is_initialized else 1)
    if "pyarrow" in sys.modules:
        note("pyarrow", sys.modules["pyarrow"].cpu_count())
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    for path in {line.split()[-1] for line in maps if "openblas" in line}:
        for suffix in ("64_", ""):
            if size := getattr(ctypes.CDLL(path), f"scipy_openblas_get_num_threads{suffix}", None):
                note(os.path.basename(path), size())
    threads = list(pathlib.Path("/proc/self/task").iterdir())
    names = {t.name: (t / "comm").read_text().strip() for t in threads}
    used = {t.name: int((t / "schedstat").read_text().split()[0]) for t in threads}
    used = [[names[n], n == str(os.getpid()), ns] for n, ns in used.items()]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    used.append(["child processes", False, int(1e9 * (children.ru_utime + children.ru_stime))])
    used.append(["ended threads", False, sum(ended)])
    with open(os.environ["TOLD"], "a") as file:
        print(json.dumps([sys.argv[0], pools, used]), file=file)

tensorstore.open = open_and_note
threading.Thread.run = run_and_note
atexit.register(tell)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_a_job_computes_on_one_thread(repository, tmp_path):
    """One thread does the work. One more of tensorstore may read and decode meanwhile."""
    (tmp_path / "sitecustomize.py").write_text(AT_EXIT)
    labels = np.random.default_rng(0).integers(0, 1 << 40, (10, 10, 10), dtype=np.uint64)
    labels = np.kron(labels, np.ones((12, 12, 12), np.uint64))
    write_volume(tmp_path / "volume.zarr", labels, (8, 8, 8), (4, 4, 4), chunks=(64, 64, 64))
    config = {
        "input_path": tmp_path / "volume.zarr",
        "output_directory": tmp_path / "out",
        "cell_size": 128,
        "num_lods": 2,
        "multires_strategy": "downsample",
    }
    told = tmp_path / "told"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}src", "TOLD": str(told)}
    environment = {k: v for k, v in environment.items() if not k.endswith("_NUM_THREADS")}
    line = command(config, "--quiet", "all")
    subprocess.run(line, cwd=repository, env=environment, check=True, capture_output=True)
    told = [json.loads(text) for text in told.read_text().splitlines()]
    jobs = [(name.split(".")[-2], *facts) for name, *facts in told if "/scripts/" in name]
    assert {"mesh_block", "pyramid_super_chunk", "shard"} < {name for name, *_ in jobs}
    seen = {pool for _, pools, _ in jobs for pool in pools}
    assert {"tensorstore", "worldarray", "numba", "pyarrow"} < seen
    for name, pools, threads in jobs:
        assert set(pools.values()) <= {1}, (name, pools)
        own = sum(ns for _, is_main, ns in threads if is_main)
        others = sum(
            ns for thread, is_main, ns in threads if not is_main and thread != OF_TENSORSTORE
        )
        assert others < OTHERS * own, (name, threads)
