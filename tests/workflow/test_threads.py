"""Each job has one core of a cluster and must keep to it, whatever the machine has."""

import json
import os
import subprocess

import numpy as np
import pytest
from conftest import write_volume

from running import command

# CPU time of the threads that read and decode, as a part of what a block takes, however fast the
# machine is: a job that only reads has not much more of its own. The index job, which reads the
# fragments of each segment for the overview, needs half of it.
READING = 0.4
# Python runs this before each script of the run, or before the process that these are forked from.
# At the script's end it reports the CPU time of the script's threads.
AT_EXIT = """
import atexit, json, os, pathlib, sys

def tell():
    threads = pathlib.Path("/proc/self/task").iterdir()
    used = {t.name: int((t / "schedstat").read_text().split()[0]) for t in threads}
    budget = sys.modules["worldarray"].thread_budget() if "worldarray" in sys.modules else None
    own = used[str(os.getpid())]
    with open(os.environ["TOLD"], "a") as file:
        print(json.dumps([sys.argv[0], budget, own, sum(used.values()) - own]), file=file)

atexit.register(tell)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_a_job_computes_on_one_thread(repository, tmp_path):
    """One thread does the work. Others read and decode, which takes little time."""
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
    jobs = {name.split(".")[-2]: used for name, *used in told if "/scripts/" in name}
    assert {"mesh_block", "pyramid_super_chunk", "shard"} < set(jobs)
    _, of_block, _ = jobs["mesh_block"]
    for name, (budget, own, others) in jobs.items():
        assert budget in (1, None)
        assert others < max(0.1 * own, 0 if name == "mesh_block" else READING * of_block), jobs
