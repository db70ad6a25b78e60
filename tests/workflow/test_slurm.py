"""`snakemake --profile slurm`, as a user types it, on a real Slurm of one node."""

import asyncio
import logging
import re
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from threading import Lock
from types import SimpleNamespace

import pytest
import yaml
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from holding import Hold
from running import REPOSITORY, digests, finish, is_kept
from slurm.cluster import missing_programs, slurm_cluster
from small_blocks import copy_with_small_blocks

# Without a limit, Snakemake would wait for ever for a job that never ends
AT_MOST_S = 900
# Names of the cluster jobs: from group and rule, or from rule and wildcards
PYRAMID = "rule_pyramid_stage0_pyramid_super_chunk"
MESH = "rule_mesh_lod{lod}_mesh_block"
ENDED = ("CANCELLED", "NODE_FAIL")
KILLED = ("FAILED", "OUT_OF_MEMORY")  # for its memory
SHARD = "rule_shard_wildcards_0"


@pytest.fixture
def slurm():
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("NOT TESTED: no plugin; pip install -r envs/requirements-slurm.txt")
    if missing := missing_programs():
        pytest.skip(
            f"NOT TESTED: Slurm is not installed here, there is no {', '.join(missing)}; "
            "apt-get install slurmctld slurmd slurm-client munge"
        )
    with slurm_cluster() as cluster:
        yield cluster


@pytest.fixture
def too_little(tmp_path) -> Path:
    """A copy of the repository whose plan asks for too little memory at LOD 0.

    Python alone takes more than these 300 MB.
    """
    repository = copy_with_small_blocks(tmp_path / "repository")
    with open(repository / "src" / "snakemesh" / "cost" / "resources.py", "a") as module:
        module.write(
            "\n_right = _mesh_block\n\n\n"
            "def _mesh_block(plan, lod):\n"
            "    found = _right(plan, lod)\n"
            "    return found._replace(mem_mb=300) if lod == 0 else found\n"
        )
    return repository


class Driver:
    """Snakemake, started in `repository`. What it prints goes to the file `said`."""

    def __init__(self, slurm, repository: Path, config: dict, said: Path, *options: str):
        self.said = said
        line = [sys.executable, "-m", "snakemake", "--profile", "slurm"]
        # look at the queue earlier than after 40 seconds
        line += ["--slurm-init-seconds-before-status-checks", "1"]
        line += [*options, "--config", *(f"{key}={value}" for key, value in config.items())]
        with open(said, "w") as file:
            self.process = subprocess.Popen(
                line, cwd=repository, env=slurm.environment, stdout=file, stderr=file
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_until(self, condition):
        """The first true value of `condition()`, which must come before the run ends."""
        end = time.monotonic() + AT_MOST_S
        while not (found := condition()):
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.2)
        return found

    def finish(self) -> str:
        """Wait for the end of the run, which must succeed. Returns what it printed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(AT_MOST_S)
        assert self.process.returncode == 0, self.said.read_text()
        return self.said.read_text()


def by_name(slurm) -> dict[str, list]:
    """The attempts at each cluster job, first to last, by Snakemake's name of the job.

    The name goes without the hash of what the job's product is made from.
    """
    attempts = defaultdict(list)
    for job in slurm.jobs():
        attempts[re.sub("_[0-9a-f]{16}$", "", job.comment)].append(job)
    return attempts


def at_work(slurm, name: str, logs: Path):
    """A condition for `wait_until`.

    It returns the id of the running cluster job of this name once a script of it has begun, which
    its log in `logs` shows. Until then it returns None.
    """

    def is_at_work():
        running = (job.id for job in slurm.jobs() if (job.comment, job.state) == (name, "RUNNING"))
        return next(running, None) if any(logs.rglob("*.log")) else None

    return is_at_work


def has_ended(slurm, number: str) -> bool:
    return any(job.id == number and job.state in ENDED for job in slurm.jobs())


def test_ten_minutes_without_an_answer_are_bridged():
    options = yaml.safe_load((REPOSITORY / "slurm" / "config.yaml").read_text())
    seconds = options["slurm-status-attempts"] / options["max-status-checks-per-second"]
    assert seconds >= 600


def job_without_files():
    return SimpleNamespace(is_group=lambda: False, output=[], log=[])


def test_jobs_are_not_forgotten(monkeypatch):
    """The plugin forgets jobs that it neither yields nor reports, as when Slurm never answers."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm", reason="NOT TESTED: no plugin")
    from snakemesh.clusters import slurm_executor

    async def check_active_jobs(self, jobs):
        self.report_job_success(jobs[0])
        self.report_job_error(jobs[1], msg="it failed")
        yield jobs[2]

    told = []
    for name in ("report_job_success", "report_job_error"):
        monkeypatch.setattr(plugin.Executor, name, lambda self, job, **_: told.append(job))
    monkeypatch.setattr(plugin.Executor, "__post_init__", lambda self: None)
    monkeypatch.setattr(plugin.Executor, "check_active_jobs", check_active_jobs)
    executor = slurm_executor.PatientExecutor.__new__(slurm_executor.PatientExecutor)
    executor.is_alone = False
    executor.__post_init__()
    jobs = [SubmittedJobInfo(job_without_files(), str(number)) for number in range(4)]

    async def active():
        return [job async for job in executor.check_active_jobs(jobs)]

    assert asyncio.run(active()) == jobs[2:] and told == jobs[:2]


def test_a_job_that_slurm_refuses_for_longer_has_failed(monkeypatch):
    """Ten minutes once Slurm has taken a job, one minute before."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm", reason="NOT TESTED: no plugin")
    from snakemesh.clusters import slurm_executor

    now, failed = [0], []
    monkeypatch.setattr(slurm_executor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(plugin.Executor, "__post_init__", lambda self: None)
    for name in ("_report_job_error_threadsafe", "_report_job_submission_threadsafe"):
        monkeypatch.setattr(plugin.Executor, name, lambda self, job, *_: failed.append(job))
    executor = slurm_executor.PatientExecutor.__new__(slurm_executor.PatientExecutor)
    executor.logger, executor.lock, executor.active_jobs = logging.root, Lock(), []
    executor.is_alone = False
    executor.__post_init__()
    for seconds in (60, 600):
        job = SimpleNamespace(job=object(), external_jobid=None)
        for at in (0, seconds - 1, seconds):
            now[0] = at
            executor._report_job_error_threadsafe(job, "refused")
        assert (executor.active_jobs, failed) == ([job] * 3, [])
        now[0] = seconds + 1
        executor._report_job_error_threadsafe(job, "refused")
        assert (executor.active_jobs, failed) == ([job] * 3, [job])
        executor._report_job_submission_threadsafe(job)  # Slurm takes one
        executor.active_jobs.clear(), failed.clear()


def test_example(slurm, repository, tmp_path):
    """All but local rules go through Slurm, short jobs in groups, and give the same bytes.

    For a while, sbatch and squeue fail. No job is tried twice for it, and none is forgotten.
    """
    ours = {"output_directory": tmp_path / "out", "num_lods": 4}
    programs = ("sbatch", "squeue")
    # the plugin by itself forgets all jobs when squeue fails once, and uses up all attempts at a
    # job in the three seconds
    options = ("--slurm-status-attempts", "1")
    with Driver(slurm, repository, ours, tmp_path / "said", *options) as driver:
        driver.wait_until(slurm.jobs)
        for program in programs:
            slurm.refuse(program)
        # the plugin asks as long as a job is there; it submits again once others are seen to end
        for program in reversed(programs):
            driver.wait_until(partial(slurm.has_refused, program))
            time.sleep(3)
            slurm.answer(program)
        said = driver.finish()
    assert {job.state for job in slurm.jobs()} == {"COMPLETED"}, said
    jobs = by_name(slurm)
    assert jobs.keys() == {PYRAMID, *(MESH.format(lod=lod) for lod in range(4)), SHARD}
    assert len(jobs[MESH.format(lod=1)]) == len(jobs[SHARD]) == 1
    assert len(jobs[PYRAMID]) < 8 and len(jobs[MESH.format(lod=0)]) < 4
    undisturbed = finish(repository, ours | {"output_directory": repository / "results" / "lods"})
    assert digests(tmp_path / "out" / "multires") == digests(undisturbed)


def test_killed_for_memory_cancelled_and_on_a_failed_node(
    slurm, too_little, config, multires, tmp_path
):
    """Three jobs are lost: killed for its memory, cancelled, and on a node that fails.

    The same run does all of them again, the first with more memory. For a while, squeue fails.
    """
    out, lod0, lod1 = tmp_path / "out", MESH.format(lod=0), MESH.format(lod=1)
    # until these jobs are ended, or they might be over before
    holds = [
        Hold(too_little / "src", names)
        for names in (r"/work/pyramid/stage0/.*\.done$", r"/work/mesh/lod1/.*\.fragments$")
    ]
    # until Slurm has looked at the memory of the first attempt
    short_of_memory = Hold(too_little / "src", r"/work/mesh/lod0/.*\.fragments$")
    with Driver(slurm, too_little, config(out), tmp_path / "said") as driver:
        logs = out / "logs"
        driver.wait_until(lambda: any(job.state in KILLED for job in by_name(slurm)[lod0]))
        short_of_memory.release()
        cancelled = driver.wait_until(at_work(slurm, PYRAMID, logs / "pyramid_super_chunk"))
        slurm.command("scancel", cancelled)
        driver.wait_until(partial(has_ended, slurm, cancelled))
        holds[0].release()
        slurm.refuse("squeue")
        driver.wait_until(lambda: slurm.has_refused("squeue"))
        time.sleep(3)  # without the profile's settings, the plugin asks five times meanwhile
        slurm.answer("squeue")
        failed = driver.wait_until(at_work(slurm, lod1, logs / "mesh_block" / "lod1"))
        # the same node would take the second attempt with it
        driver.wait_until(lambda: by_name(slurm)[lod0][-1].state == "COMPLETED")
        slurm.command("scontrol", "update", "NodeName=localhost", "State=DOWN", "Reason=test")
        slurm.command("scontrol", "update", "NodeName=localhost", "State=RESUME")
        driver.wait_until(partial(has_ended, slurm, failed))
        holds[1].release()
        said = driver.finish()
    attempts = by_name(slurm)
    assert attempts[lod0][0].state in KILLED, said
    # the run says why, from Slurm's own logs: these jobs could not say it
    for rule, why in (
        ("mesh_block lod 0", "memory limit"),
        ("pyramid_super_chunk stage 0", "CANCELLED"),
        ("mesh_block lod 1", "NODE FAILURE"),
    ):
        assert re.search(rf"^failed: {rule} \S+: .*{why}.*\n  log: .*/logs/slurm/", said, re.M), (
            said
        )
    assert re.search(r"^tried again: mesh_block lod 0 \S+, attempt 2, with 0.6 GB", said, re.M)
    assert [job.memory_mb for job in attempts[lod0][:2]] == [300, 600]
    assert attempts[PYRAMID][0].state == "CANCELLED"
    assert attempts[lod1][0].state == "NODE_FAIL"
    for name, jobs in attempts.items():
        assert jobs[-1].state == "COMPLETED"
        more = 2 if name == lod0 else 1  # only that one was short of memory
        assert all(later.memory_mb == more * job.memory_mb for job, later in pairwise(jobs))
    assert not (too_little / ".snakemake" / "slurm_logs").exists()
    assert digests(out / "multires") == digests(multires)


def test_killed_driver(slurm, repository, config, multires, tmp_path):
    """A job of the run before is awaited, and one that is not needed as it is is ended."""
    out, options = tmp_path / "out", ("--group-components", "pyramid_stage0=8", "mesh_lod0=8")
    before = config(out, target_reduction=0.8)
    node = ("scontrol", "update", "NodeName=localhost")
    slurm.command(*node, "State=DRAIN", "Reason=test")  # jobs wait
    with Driver(slurm, repository, before, tmp_path / "before", *options) as driver:
        wanted = {PYRAMID, MESH.format(lod=0)}
        driver.wait_until(
            lambda: wanted <= {job.comment for job in slurm.jobs() if is_kept(out, job.id)}
        )
        driver.process.kill()
        driver.process.wait()
    with Driver(slurm, repository, config(out), tmp_path / "said", *options) as driver:
        driver.wait_until(lambda: "jobs of the previous run" in driver.said.read_text())
        slurm.command(*node, "State=RESUME")
        said = driver.finish()
    assert "jobs of the previous run: 1 awaited, 1 ended" in said
    jobs = by_name(slurm)
    assert [job.state for job in jobs[PYRAMID]] == ["COMPLETED"]
    assert [job.state for job in jobs[MESH.format(lod=0)]] == ["CANCELLED", "COMPLETED"]
    assert digests(out / "multires") == digests(multires)
