"""`snakemake --profile lsf` through the real executor plugin, on a stand-in for LSF.

The stand-in is not LSF: see tests/lsf. Whatever goes wrong, a run must end with the same bytes as
an undisturbed one. A run mostly waits: the plugin first looks at its jobs after 20 seconds, and
then ever less often. So all scenarios that the chosen tests need run at the same time, and each
test looks at the outcome of one.
"""

import math
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holding import Hold
from lsf.cluster import Cluster
from lsf.job import Job
from lsf.syntax import LONGEST, SyntaxRefusedError, read_bsub
from preloading import library
from running import command, digests, is_kept, run
from small_blocks import copy_with_small_blocks, small_blocks
from snakemesh.config.configuration import read_settings
from snakemesh.cost.resources import resources_of
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.survey.inputs import source_levels
from snakemesh.survey.sample import sample_of

# The profile as it is, with shorter waits where these would only slow the tests down
LINE = ("--profile", "lsf", "--seconds-between-status-checks", "1", "--latency-wait", "3")
# Lets the plugin ask again at once when bjobs does not know a job
IMPATIENT = ("--max-status-checks-per-second", "10")
KEPT = {"delete_intermediate_scales": False}
# The plugin reads LSF's event log with awk and this variable, FPAT
FPAT = r"""printf '"a b" c' | awk 'BEGIN { FPAT = "([^ ]+)|(\"[^\"]+\")" } { print $2 }'"""
PATIENCE_S = 1800  # all scenarios share the machine
# Python alone takes more: a job needs a limit of its own
QUEUE_LIMIT_MB = 100
# How many jobs of the scenario `first_jobs` start at once. None of them waits for another one.
FIRST_JOBS = 16


def has_gawk() -> bool:
    """Whether awk is GNU awk, which the plugin needs: mawk does not know FPAT."""
    done = subprocess.run(FPAT, shell=True, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "c"


@dataclass
class Place:
    """Where a scenario runs. config: makes a configuration from an output folder and changes."""

    repository: Path
    folder: Path
    config: Callable[..., dict]

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def hold(self, names: str, free: int = 0) -> Hold:
        """Hold jobs of this scenario that are about to write such files."""
        return Hold(self.repository / "src", names, free)

    def cluster(self, hosts: dict[str, int], **options: Any) -> Cluster:
        (self.folder / "lsf").mkdir()
        return Cluster(self.folder / "lsf", hosts, queue_limit_mb=QUEUE_LIMIT_MB, **options)


@dataclass
class Outcome:
    """How a scenario ended.

    multires: digests of the result. said: what Snakemake printed, one text per run. facts: what
    else a test needs to know.
    """

    cluster: Cluster
    multires: dict[str, str]
    said: list[str]
    facts: dict[str, object]

    def jobs(self, name: str) -> list[Job]:
        return jobs(self.cluster, name)


def jobs(cluster: Cluster, name: str) -> list[Job]:
    """The cluster jobs of a rule or a group, in the order of submission."""
    return [job for job in list(cluster.jobs) if job.name.startswith(named(name))]


def named(name: str) -> str:
    """How the names of the cluster jobs of a rule or a group begin."""
    return f"Snakemake_{name}:"


class Driver:
    """Snakemake as a user starts it on a login node. It is killed when the block is left."""

    def __init__(
        self, place: Place, cluster: Cluster, config: dict, *arguments: str, **environment: str
    ) -> None:
        line = command(config, *LINE, *arguments)
        at = line.index("--cores")  # removed: the profile sets the cores
        self._file = open(place.folder / "said", "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            line[:at] + line[at + 2 :],
            cwd=place.repository,
            env=cluster.environment | environment,
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._file.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return Path(self._file.name).read_text()

    def wait_for(self, moment: Callable[[], object]) -> None:
        """Wait until `moment()` is true, which must happen while Snakemake runs."""
        end = time.time() + PATIENCE_S
        while not moment():
            assert self.process.poll() is None, self.said
            assert time.time() < end, self.said
            time.sleep(0.02)

    def finish(self) -> str:
        """Wait for the end of a run, which must succeed. Returns what it printed."""
        assert self.process.wait(PATIENCE_S) == 0, self.said
        return self.said


def running(cluster: Cluster, name: str) -> list[Job]:
    return [job for job in jobs(cluster, name) if job.status == "RUN"]


def ended(cluster: Cluster, name: str) -> list[Job]:
    return [job for job in jobs(cluster, name) if job.has_ended]


def short_of_memory(place: Place) -> Outcome:
    """The cluster has one slot, and the super-chunks ask for less memory than they take.

    LSF starts and reports jobs with a delay. bjobs forgets a job, whose end is then only in the
    event log. Two jobs are refused, and LSF does not answer until the plugin has asked six times.
    """
    ask_for_too_little(place.repository)
    config = place.config(place.output)
    # or a job could end before the cluster looks at its memory
    hold = place.hold(r"/work/pyramid/stage0/.*\.done$")
    with (
        place.cluster({"node1": 1}, dispatch_delay=1, report_delay=2) as cluster,
        Driver(place, cluster, config, *IMPATIENT) as driver,
    ):
        driver.wait_for(lambda: cluster.jobs)
        cluster.turn_away(2)
        cluster.fall_silent(1, uses=7)
        driver.wait_for(lambda: jobs(cluster, "group_mesh_lod0"))
        if has_gawk():
            cluster.forget(jobs(cluster, "group_mesh_lod0")[0])
        driver.wait_for(lambda: ended(cluster, "group_pyramid_stage0"))
        hold.release()
        said = driver.finish()
        return Outcome(cluster, digests(place.output / "multires"), [said], {})


def dying_hosts(place: Place) -> Outcome:
    """Three machines die. LSF reports the death of one, and only a lost contact with two.

    One job reaches its time limit. Before, there were results of another configuration where a job
    of the first machine would have written its own. Also, LSF does not answer for a while.
    """
    other = run(
        place.repository, place.config(place.output, downsample_method="nearest", **KEPT), "pyramid"
    )
    assert other.returncode == 0, other.stdout + other.stderr
    # or a job could be over before its machine dies
    hold = place.hold(r"/work/mesh/lod0/.*\.fragments$", free=1)
    with (
        place.cluster({f"node{i}": 1 for i in range(1, 6)}) as cluster,
        Driver(place, cluster, place.config(place.output, **KEPT)) as driver,
    ):
        stalled = ("group_pyramid_stage0", "group_mesh_lod1", "rule_shard")
        cluster.stall_at_start(*map(named, stalled))
        cluster.fall_silent(3)
        driver.wait_for(lambda: running(cluster, "group_pyramid_stage0"))
        old = len(list(place.output.glob("work/pyramid/stage0/*.done")))
        cluster.fail_host(jobs(cluster, "group_pyramid_stage0")[0].host, noticed=False)
        driver.wait_for(lambda: list(place.output.glob("work/mesh/lod0/*.fragments")))
        cluster.fail_host(jobs(cluster, "group_mesh_lod0")[0].host, noticed=True)
        hold.release()
        driver.wait_for(lambda: running(cluster, "group_mesh_lod1"))
        cluster.end_for_time(jobs(cluster, "group_mesh_lod1")[0])
        driver.wait_for(lambda: running(cluster, "rule_shard"))
        cluster.fail_host(jobs(cluster, "rule_shard")[0].host, noticed=False)
        said = driver.finish()
        return Outcome(cluster, digests(place.output / "multires"), [said], {"old": old})


def lost_job_and_killed_driver(place: Place) -> Outcome:
    """A job vanishes. Snakemake waits for it, and is killed while another job is running.

    Then the same command is started again, which awaits that other job. The jobs of a group run
    side by side, and the site counts in GB. A job is suspended.
    """
    config, options = place.config(place.output), (*IMPATIENT, "--cores", "8")
    hold = place.hold(r"/work/mesh/lod0/.*\.fragments$", free=1)
    with place.cluster({f"node{i}": 8 for i in range(1, 5)}, unit="GB") as cluster:
        cluster.stall_at_start(named("group_mesh_lod1"), named("rule_shard"))
        with Driver(place, cluster, config, *options) as driver:
            driver.wait_for(lambda: list(place.output.glob("work/mesh/lod0/*.fragments")))
            cluster.lose(jobs(cluster, "group_mesh_lod0")[0])
            hold.release()
            driver.wait_for(lambda: running(cluster, "group_mesh_lod1"))
            (old,) = jobs(cluster, "group_mesh_lod1")
            driver.wait_for(lambda: is_kept(place.output, old.id))
            driver.wait_for(lambda: "Unable to get the status of all active_jobs" in driver.said)
            driver.kill()
            is_waiting = not list(place.output.glob("work/mesh/blocks.*.done"))
            first = driver.said
        with Driver(place, cluster, config, *options) as driver:
            driver.wait_for(lambda: "1 awaited" in driver.said)
            driver.wait_for(lambda: len(jobs(cluster, "group_mesh_lod0")) == 2)
            cluster.go_on(old)
            driver.wait_for(lambda: running(cluster, "rule_shard"))
            cluster.suspend(jobs(cluster, "rule_shard")[0])
            said = [first, driver.finish()]
        facts = {"is_waiting": is_waiting}
        return Outcome(cluster, digests(place.output / "multires"), said, facts)


def killed_driver_and_changed_configuration(place: Place) -> Outcome:
    """Snakemake is killed while a super-chunk and blocks are at work, and starts with other meshes.

    The super-chunk is what the second run needs too; the blocks are not.
    """
    options = ("--group-components", "pyramid_stage0=8", "mesh_lod0=8")
    with place.cluster({f"node{i}": 1 for i in range(1, 5)}) as cluster:
        other = place.config(place.output, target_reduction=0.8)
        names = ("group_pyramid_stage0", "group_mesh_lod0")
        cluster.stall_at_start(*map(named, names))
        with Driver(place, cluster, other, *options) as driver:
            for name in names:
                driver.wait_for(partial(running, cluster, name))
                driver.wait_for(partial(is_kept, place.output, jobs(cluster, name)[0].id))
            driver.kill()
        submitted = place.output / "work" / "submitted.jsonl"
        with open(submitted, "a") as file:
            file.write('{"external": "99", "prod')  # as where it was killed while it wrote
        (pyramid,) = jobs(cluster, "group_pyramid_stage0")
        with Driver(place, cluster, place.config(place.output), *options) as driver:
            driver.wait_for(lambda: len(jobs(cluster, "group_mesh_lod0")) == 2)
            cluster.go_on(pyramid)
            said = [driver.finish()]
        facts = {"submitted": submitted.exists()}
        return Outcome(cluster, digests(place.output / "multires"), said, facts)


def first_jobs(place: Place) -> Outcome:
    """Sixteen first jobs at once, where every eighth function is not compiled yet.

    What all of them take, in a clone that has never run, is compiled by the example in CI.
    """
    kernels = place.repository / "src" / "snakemesh" / "__pycache__" / "kernels"
    kernels.mkdir(parents=True, exist_ok=True)  # a clone that has never run has none at all
    for path in [*sorted(kernels.iterdir())[::8], *kernels.glob("*.ready")]:
        path.unlink(missing_ok=True)
    left = {path.name for path in kernels.iterdir()}
    single = [f"{name}=1" for name in ("pyramid_stage0", "mesh_lod0", "mesh_lod1", "mesh_lod2")]
    config = place.config(place.output, cell_size=32)
    options, cache = ("--group-components", *single), str(place.folder / "cache")
    with (
        place.cluster({"node1": FIRST_JOBS}, dispatch_delay=math.inf) as cluster,
        Driver(place, cluster, config, *options, XDG_CACHE_HOME=cache) as driver,
    ):
        driver.wait_for(lambda: cluster.jobs)
        before = {path.name: path.stat().st_mtime_ns for path in kernels.iterdir()}
        driver.wait_for(lambda: len(cluster.jobs) >= FIRST_JOBS)
        cluster.dispatch_delay = 0
        said = driver.finish()
        after = {path.name: path.stat().st_mtime_ns for path in kernels.iterdir()}
        return Outcome(cluster, {}, [said], {"left": left, "before": before, "after": after})


def files_seen_late(place: Place) -> Outcome:
    """The node of Snakemake sees the containers of blocks only when it looks into their folder.

    Snakemake itself waits 3 seconds for them.
    """
    late = {"LATE_FILES": "/work/mesh/lod", "LATE_SECONDS": "600"}
    late["LD_PRELOAD"] = str(library("late_files"))
    config = place.config(place.output)
    with place.cluster({"node1": 4}) as cluster, Driver(place, cluster, config, **late) as driver:
        said = driver.finish()
        return Outcome(cluster, digests(place.output / "multires"), [said], {})


# The scenario that each test looks at
SCENARIOS = {
    "test_bsub_lines": short_of_memory,
    "test_killed_for_memory": short_of_memory,
    "test_refused_and_unanswered": short_of_memory,
    "test_forgotten_by_bjobs": short_of_memory,
    "test_hosts_that_die": dying_hosts,
    "test_limit_of_jobs_side_by_side": lost_job_and_killed_driver,
    "test_suspended": lost_job_and_killed_driver,
    "test_lost_job_and_killed_driver": lost_job_and_killed_driver,
    "test_killed_driver_and_changed_configuration": killed_driver_and_changed_configuration,
    "test_first_jobs_compile_nothing": first_jobs,
    "test_files_seen_late": files_seen_late,
}


def ask_for_too_little(repository: Path) -> None:
    """Have the plan ask for less memory for super-chunks than Python alone takes."""
    with open(repository / "src" / "snakemesh" / "cost" / "resources.py", "a") as module:
        module.write('\n\n_RESOURCES["pyramid_super_chunk"] = lambda plan: Resources(250, 10)\n')


def less_patient(module: Path) -> None:
    """Make a job that LSF has lost sight of count as running for 2 s, instead of an hour."""
    text = module.read_text()
    assert "_ASTRAY_S = 3600" in text
    module.write_text(text.replace("_ASTRAY_S = 3600", "_ASTRAY_S = 2"))


@pytest.fixture(scope="module")
def outcomes(request, config, tmp_path_factory):
    """The future outcome of every scenario that a chosen test needs, all run at the same time."""
    here = [item for item in request.session.items if item.module is request.module]
    wanted = {SCENARIOS[item.name] for item in here if item.name in SCENARIOS}
    with ThreadPoolExecutor() as pool:
        places = {}
        for scenario in wanted:
            folder = tmp_path_factory.mktemp(scenario.__name__)
            repository = copy_with_small_blocks(folder / "repository")
            less_patient(repository / "src" / "snakemesh" / "clusters" / "lsf_executor.py")
            places[scenario] = Place(repository, folder, config)
        yield {scenario: pool.submit(scenario, place) for scenario, place in places.items()}


@pytest.fixture
def outcome(request, outcomes) -> Outcome:
    return outcomes[SCENARIOS[request.node.name]].result()


def plan_of(config) -> Plan:
    settings = read_settings({key: _plain(value) for key, value in config("unused").items()})
    with small_blocks():
        plan = make_plan(settings, source_levels(settings))
    return replace(plan, sample=sample_of(plan))


def test_bsub_lines(outcome, config):
    """LSF would accept every line. Lines ask for what the plan says, and short jobs are grouped."""
    assert outcome.cluster.refused == []
    plan = plan_of(config)
    (blocks,), (shard,) = outcome.jobs("group_mesh_lod0"), outcome.jobs("rule_shard")
    assert blocks.asked.command.count("mesh_block:lod=0,box=") == 4
    assert blocks.asked.mem == resources_of(plan, "mesh_block").mem_mb
    assert blocks.asked.run_minutes == 4 * resources_of(plan, "mesh_block").runtime
    assert (shard.asked.mem, shard.asked.run_minutes) == resources_of(plan, "shard")
    for job in outcome.cluster.jobs:
        assert (job.asked.tasks, job.asked.mem) == (1, outcome.cluster.limit_mb(job))
    assert outcome.cluster.most_running == 1 and outcome.cluster.most_waiting > 0


def test_killed_for_memory(outcome, multires):
    """A group that is killed for its memory is tried again with twice the memory, and no more."""
    killed, done = outcome.jobs("group_pyramid_stage0")
    assert (killed.status, killed.reason, killed.asked.mem) == ("EXIT", "TERM_MEMLIMIT", 250)
    assert (done.status, done.asked.mem) == ("DONE", 500)
    assert [outcome.cluster.limit_mb(job) for job in (killed, done)] == [250, 500]
    assert done.asked.run_minutes == killed.asked.run_minutes
    assert "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit." in outcome.said[0]
    assert outcome.multires == digests(multires)


def test_limit_of_jobs_side_by_side(outcome, config):
    """The limit of a group is that of all its jobs at work, whatever unit the site counts in."""
    plan = plan_of(config)
    for blocks in outcome.jobs("group_mesh_lod0"):
        count = blocks.asked.command.count("mesh_block:lod=0,box=")
        assert blocks.asked.tasks == count > 1
        assert blocks.asked.mem == resources_of(plan, "mesh_block").mem_mb / 1024  # per core, in GB
        assert outcome.cluster.limit_mb(blocks) == count * resources_of(plan, "mesh_block").mem_mb


def test_refused_and_unanswered(outcome, multires):
    """A refused job is submitted later, as the same attempt. A silent LSF is waited for."""
    assert outcome.cluster.turned_away == 2 and outcome.cluster.unanswered >= 6
    assert "Communication time out" in outcome.said[0]
    others = [job for job in outcome.cluster.jobs if job.reason != "TERM_MEMLIMIT"]
    assert {job.status for job in others} == {"DONE"}
    assert len(others) == len({job.name for job in others})
    assert outcome.multires == digests(multires)


def test_suspended(outcome):
    """A job that somebody has suspended is ended before it is tried again."""
    suspended, again = outcome.jobs("rule_shard")
    assert (suspended.reason, again.status) == ("TERM_OWNER", "DONE")
    assert suspended.ended <= again.started


def test_forgotten_by_bjobs(outcome):
    """A job that bjobs no longer knows is found in LSF's event log."""
    if not has_gawk():
        pytest.skip("NOT TESTED: awk is not GNU awk, which the plugin needs; apt-get install gawk")
    (forgotten,) = outcome.jobs("group_mesh_lod0")
    assert forgotten.status == "DONE" and forgotten not in outcome.cluster.known()


def test_hosts_that_die(outcome, multires):
    """When contact is lost for long (UNKWN), jobs are done again. Before, LSF may find them."""
    assert outcome.facts["old"] == 0, "a marker of another configuration could be taken for done"
    for name, status in (
        ("group_pyramid_stage0", "UNKWN"),
        ("group_mesh_lod0", "EXIT"),
        ("rule_shard", "UNKWN"),
    ):
        attempts = outcome.jobs(name)
        assert [job.status for job in attempts] == [status, "DONE"], name
        assert len({(job.asked.mem, job.asked.run_minutes) for job in attempts}) == 1, name
    ended, again = outcome.jobs("group_mesh_lod1")
    assert (ended.reason, again.status) == ("TERM_RUNLIMIT", "DONE")
    assert again.asked.run_minutes == 2 * ended.asked.run_minutes
    assert again.asked.mem == ended.asked.mem
    assert outcome.cluster.unanswered > 0
    assert outcome.multires == digests(multires)


def test_lost_job_and_killed_driver(outcome, multires):
    """Snakemake waits for a lost job for ever. Killed and started again, it completes."""
    lost, again = outcome.jobs("group_mesh_lod0")
    assert (lost.lost, again.status) == (True, "DONE")
    assert outcome.facts["is_waiting"]
    (awaited,) = outcome.jobs("group_mesh_lod1")
    assert awaited.status == "DONE"
    assert outcome.multires == digests(multires)


def test_killed_driver_and_changed_configuration(outcome, multires):
    """Jobs of the run before are awaited if they make what is needed, and ended if not."""
    (pyramid,) = outcome.jobs("group_pyramid_stage0")
    assert pyramid.status == "DONE"
    old, new = outcome.jobs("group_mesh_lod0")
    assert (old.reason, new.status) == ("TERM_OWNER", "DONE")
    assert old.ended <= new.submitted
    assert "jobs of the previous run: 1 awaited, 1 ended" in outcome.said[0]
    assert not outcome.facts["submitted"]
    assert outcome.multires == digests(multires)


def test_first_jobs_compile_nothing(outcome):
    """All that they need is compiled before the first one is submitted."""
    assert outcome.cluster.most_running == FIRST_JOBS
    compiled = outcome.facts["before"].keys() - outcome.facts["left"]
    assert any(not name.endswith(".ready") for name in compiled)
    assert outcome.facts["after"] == outcome.facts["before"]
    assert {job.status for job in outcome.cluster.jobs} == {"DONE"}


def test_files_seen_late(outcome, multires):
    """No group is run again because its files are seen late: their folders are looked into."""
    assert {job.status for job in outcome.cluster.jobs} == {"DONE"}
    assert len({job.name for job in outcome.cluster.jobs}) == len(outcome.cluster.jobs)
    assert outcome.multires == digests(multires)


@pytest.mark.parametrize("name", ["short_of_memory", "dying_hosts"])
def test_what_lsf_writes(outcomes, name):
    """Under the output, and only of jobs that have failed. Each log is of one attempt."""
    scenario = globals()[name]
    if scenario not in outcomes:
        pytest.skip("the test of this scenario is not chosen")
    outcome = outcomes[scenario].result()
    logs = {job.asked.options["-o"].replace("%J", str(job.id)): job for job in outcome.cluster.jobs}
    assert len(logs) == len(outcome.cluster.jobs)
    (folder,) = {Path(log).parent for log in logs}
    assert folder.parts[-3:] == ("out", "logs", "lsf")
    for path in folder.iterdir():
        assert logs[str(path)].status != "DONE"
    assert not list(folder.parents[2].glob("repository/.snakemake/lsf_logs"))


@pytest.mark.parametrize(
    "line",
    [
        ["-W", "1:30:00", "true"],
        ["-W", "90s", "true"],
        ["-n", "0", "true"],
        ["-R", "rusage[mem=]", "true"],
        ["-R", "rusage[mem=1e3]", "true"],
        ["-R", "rusage[mem=1.5]span[hosts=1]", "true"],
        ["-R", "span[hosts=2]", "true"],
        ["-J", "name[of]", "true"],
        ["-J", "x" * (LONGEST + 1), "true"],
        ["-o", "", "true"],
        ["-q", "one,two", "true"],
        ["--mem", "10", "true"],
        ["-n", "1", "-n", "2", "true"],
        ["-n", "1"],
        ["x" * (LONGEST + 1)],
    ],
)
def test_lines_that_lsf_does_not_document(line):
    with pytest.raises(SyntaxRefusedError):
        read_bsub(line)


def _plain(value):
    return str(value) if isinstance(value, Path) else value
