"""`snakemake --profile sge`, `pbs` and `htcondor`, on stand-ins for their commands.

The stand-ins are none of these systems: see tests/queues.
"""

import json
import os
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from running import PATIENCE_S, command, digests
from small_blocks import copy_with_small_blocks

KINDS = {"sge": "sge", "pbs": "pbs", "htcondor": "condor"}
PROGRAMS = {
    "sge": {"qsub", "qstat"},
    "pbs": {"qsub", "qstat"},
    "htcondor": {"condor_submit", "condor_q"},
}
# Shorter waits, where these would only slow the tests down
SHORTER = {"_AGAIN_S = 20": "_AGAIN_S = 0.5", "_LATE_S = 60": "_LATE_S = 2"}
OPTIONS = ("--seconds-between-status-checks", "1", "--latency-wait", "3")
# Four blocks, which take no levels, and a shard
FEW_JOBS = {"num_lods": 1}
# Memory that jobs of the first attempt ask for is less, and of the second one more
LIMIT_MB = 1000


@pytest.fixture(scope="module")
def impatient(tmp_path_factory) -> Path:
    repository = copy_with_small_blocks(tmp_path_factory.mktemp("queues") / "repository")
    module = repository / "src" / "snakemesh" / "clusters" / "queues.py"
    text = module.read_text()
    for old, new in SHORTER.items():
        assert old in text
        text = text.replace(old, new)
    module.write_text(text)
    return repository


@pytest.mark.parametrize("profile", KINDS)
def test_killed_for_memory_and_refused(profile, impatient, config, made, tmp_path):
    """Jobs that ask for too little are killed without a word, and ask for more the next time.

    For a while, all commands fail. Then nothing is left but logs of what failed.
    """
    if find_spec("snakemake_executor_plugin_cluster_generic") is None:
        pytest.skip("NOT TESTED: no plugin; pip install -r envs/requirements-test.txt")
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    (cluster / "limit").write_text(str(LIMIT_MB))
    (cluster / "refuses").touch()
    programs = Path(__file__).parents[1] / "queues" / "bin"
    environment = os.environ | {"QUEUE_FOLDER": str(cluster), "QUEUE_KIND": KINDS[profile]}
    environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    line = command(config(tmp_path / "out", **FEW_JOBS), "--profile", profile, *OPTIONS)
    at = line.index("--cores")  # removed: the profile sets the cores
    with open(tmp_path / "said", "w+") as said:
        run = subprocess.Popen(
            line[:at] + line[at + 2 :], cwd=impatient, env=environment, stdout=said, stderr=said
        )

        def wait_for(moment):
            end = time.monotonic() + PATIENCE_S
            while not moment():
                assert run.poll() is None and time.monotonic() < end, Path(said.name).read_text()
                time.sleep(0.1)

        def have_refused():
            refused = cluster / "refused"
            return set(refused.read_text().split()) if refused.exists() else set()

        wait_for(have_refused)
        (cluster / "refuses").unlink()
        wait_for(lambda: list(cluster.glob("*.job")))
        (cluster / "refuses").touch()
        wait_for(lambda: have_refused() == PROGRAMS[profile])
        time.sleep(3)  # longer than a job may be unknown
        (cluster / "refuses").unlink()
        assert run.wait(2 * PATIENCE_S) == 0, Path(said.name).read_text()
    assert set((cluster / "refused").read_text().split()) == PROGRAMS[profile]
    jobs = [json.loads(path.read_text()) for path in cluster.glob("*.job")]
    by_script = {}
    for job in jobs:
        by_script.setdefault(job["script"], []).append(job["memory_mb"])
    for asked in by_script.values():
        first, *more = sorted(asked)
        assert more == ([2 * first] if first < LIMIT_MB else [])
    assert any(len(asked) == 2 for asked in by_script.values())
    undisturbed = made(config(tmp_path / "undisturbed", **FEW_JOBS))
    assert digests(tmp_path / "out" / "multires") == digests(undisturbed)
    left = {path.suffix for path in (impatient / ".snakemake" / "queue").iterdir()}
    assert left <= {".log"}
