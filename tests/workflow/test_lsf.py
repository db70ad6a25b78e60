"""`snakemake --profile lsf` through the real executor plugin, on a stand-in for LSF.

The stand-in is not LSF, see tests/lsf. Whatever goes wrong, a run ends with the very bytes of an
undisturbed one. The runs mostly wait: the plugin looks after its jobs for the first time after 20
seconds, and then ever less often. So all that are asked for are under way at the same time, and
each test looks at one of them.
"""

import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lsf.cluster import Cluster
from lsf.job import Job
from lsf.syntax import LONGEST, SyntaxRefusedError, read_bsub
from running import REPOSITORY, command, copy_repository, digests, run
from snakemesh.plan.configuration import read_settings
from snakemesh.plan.inputs import source_levels
from snakemesh.plan.plan import make_plan
from snakemesh.plan.resources import mesh_mem_mb, mesh_runtime, shard_mem_mb, shard_runtime

# The profile as it is, but for what would only make the tests wait longer
LINE = ("--profile", "lsf", "--seconds-between-status-checks", "1", "--latency-wait", "3")
# How often the plugin may ask again at once for jobs that bjobs does not know
IMPATIENT = ("--max-status-checks-per-second", "10")
KEPT = {"delete_intermediate_scales": False}
# What the plugin asks awk for when it reads LSF's event log
FPAT = r"""printf '"a b" c' | awk 'BEGIN { FPAT = "([^ ]+)|(\"[^\"]+\")" } { print $2 }'"""
PATIENCE_S = 600


def has_gawk() -> bool:
    """Whether awk is GNU awk, which the plugin takes for granted; mawk knows no FPAT."""
    done = subprocess.run(FPAT, shell=True, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "c"


@dataclass
class Place:
    """Where a scenario runs. config: makes a configuration with its output in `folder`."""

    repository: Path
    folder: Path
    config: Callable[..., dict]

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def cluster(self, hosts: dict[str, int], **delays: float) -> Cluster:
        (self.folder / "lsf").mkdir()
        return Cluster(self.folder / "lsf", hosts, **delays)


@dataclass
class Outcome:
    """How a scenario ended. said: what Snakemake printed, run by run."""

    cluster: Cluster
    multires: dict[str, str]
    said: list[str]
    facts: dict[str, object]

    def jobs(self, name: str) -> list[Job]:
        return jobs(self.cluster, name)


def jobs(cluster: Cluster, name: str) -> list[Job]:
    """The cluster jobs of a rule or a group, in the order of their submission."""
    return [job for job in list(cluster.jobs) if job.name.startswith(f"Snakemake_{name}:")]


class Driver:
    """Snakemake as a user starts it on a login node; killed where a scenario fails."""

    def __init__(self, place: Place, cluster: Cluster, config: dict, *arguments: str) -> None:
        line = command(config, *LINE, *arguments)
        at = line.index("--cores")  # the profile says how many
        self._file = open(place.folder / "said", "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            line[:at] + line[at + 2 :],
            cwd=place.repository,
            env=cluster.environment,
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
        """Wait until something has come about, which must be while Snakemake runs."""
        end = time.time() + PATIENCE_S
        while not moment():
            assert self.process.poll() is None, self.said
            assert time.time() < end, self.said
            time.sleep(0.02)

    def finish(self) -> str:
        """Wait for the end, which must be a success. Returns what was printed."""
        assert self.process.wait(PATIENCE_S) == 0, self.said
        return self.said


def running(cluster: Cluster, name: str) -> list[Job]:
    return [job for job in jobs(cluster, name) if job.status == "RUN"]


def short_of_memory(place: Place) -> Outcome:
    """One slot for all, and the super-chunks ask for less memory than they take.

    LSF takes its time. bjobs forgets a job; what became of that one is in the event log.
    """
    little = ("--set-resources", "pyramid_super_chunk:mem_mb=250*2**(attempt-1)")
    config = place.config(place.output)
    with (
        place.cluster({"node1": 1}, dispatch_delay=1, report_delay=2) as cluster,
        Driver(place, cluster, config, *little, *IMPATIENT) as driver,
    ):
        driver.wait_for(lambda: jobs(cluster, "group_mesh_lod0"))
        if has_gawk():
            cluster.forget(jobs(cluster, "group_mesh_lod0")[0])
        said = driver.finish()
        return Outcome(cluster, digests(place.output / "multires"), [said], {})


def dying_hosts(place: Place) -> Outcome:
    """A machine dies and LSF tells so; of two others it only says that it lost contact.

    Results of another configuration lay where the first of these would have put theirs. Besides,
    LSF does not answer for a while.
    """
    other = run(
        place.repository, place.config(place.output, downsample_method="nearest", **KEPT), "pyramid"
    )
    assert other.returncode == 0, other.stdout + other.stderr
    with (
        place.cluster({f"node{i}": 1 for i in range(1, 6)}) as cluster,
        Driver(place, cluster, place.config(place.output, **KEPT)) as driver,
    ):
        cluster.fall_silent(3)
        driver.wait_for(lambda: running(cluster, "group_pyramid_stage0"))
        old = len(list(place.output.glob("work/pyramid/stage0/*.done")))
        cluster.fail_host(jobs(cluster, "group_pyramid_stage0")[0].host, noticed=False)
        driver.wait_for(lambda: list(place.output.glob("work/mesh/lod0/*.done")))
        cluster.fail_host(jobs(cluster, "group_mesh_lod0")[0].host, noticed=True)
        driver.wait_for(lambda: running(cluster, "rule_shard"))
        cluster.fail_host(jobs(cluster, "rule_shard")[0].host, noticed=False)
        said = driver.finish()
        return Outcome(cluster, digests(place.output / "multires"), [said], {"old": old})


def lost_job_and_killed_driver(place: Place) -> Outcome:
    """A job vanishes, Snakemake waits for it and is killed while another is at work.

    The same command again, and the job of the first run goes on beside those of the second.
    """
    config = place.config(place.output)
    with place.cluster({f"node{i}": 1 for i in range(1, 5)}) as cluster:
        with Driver(place, cluster, config, *IMPATIENT) as driver:
            driver.wait_for(lambda: list(place.output.glob("work/mesh/lod0/*.done")))
            cluster.lose(jobs(cluster, "group_mesh_lod0")[0])
            driver.wait_for(lambda: running(cluster, "group_mesh_lod1"))
            (old,) = jobs(cluster, "group_mesh_lod1")
            cluster.stall(old)
            driver.wait_for(lambda: "Unable to get the status of all active_jobs" in driver.said)
            driver.kill()
            first = driver.said
        with Driver(place, cluster, config, *IMPATIENT) as driver:
            driver.wait_for(lambda: len(running(cluster, "group_mesh_lod1")) == 2)
            cluster.go_on(old)
            said = [first, driver.finish()]
        while not old.has_ended:
            time.sleep(0.1)
        return Outcome(cluster, digests(place.output / "multires"), said, {})


# Of each test the scenario that it looks at
SCENARIOS = {
    "test_bsub_lines": short_of_memory,
    "test_killed_for_memory": short_of_memory,
    "test_forgotten_by_bjobs": short_of_memory,
    "test_hosts_that_die": dying_hosts,
    "test_lost_job_and_killed_driver": lost_job_and_killed_driver,
}


@pytest.fixture(scope="module")
def outcomes(request, config, tmp_path_factory):
    """The outcome of the scenario of every test that was asked for, all run at the same time."""
    repository = copy_repository(tmp_path_factory.mktemp("lsf") / "repository")
    if not (repository / "lsf").exists():
        shutil.copytree(REPOSITORY / "lsf", repository / "lsf")
    here = [item for item in request.session.items if item.module is request.module]
    wanted = {SCENARIOS[item.name] for item in here if item.name in SCENARIOS}
    with ThreadPoolExecutor() as pool:
        yield {
            scenario: pool.submit(
                scenario, Place(repository, tmp_path_factory.mktemp(scenario.__name__), config)
            )
            for scenario in wanted
        }


@pytest.fixture
def outcome(request, outcomes) -> Outcome:
    return outcomes[SCENARIOS[request.node.name]].result()


def test_bsub_lines(outcome, config):
    """LSF would accept every line, and it asks for what the plan says; jobs come in groups."""
    assert outcome.cluster.refused == []
    settings = read_settings({key: _plain(value) for key, value in config("unused").items()})
    plan = make_plan(settings, source_levels(settings))
    (blocks,), (shard,) = outcome.jobs("group_mesh_lod0"), outcome.jobs("rule_shard")
    assert blocks.asked.command.count("mesh_block:lod=0,box=") == 4
    assert blocks.asked.mem == mesh_mem_mb(plan, 0)
    assert blocks.asked.run_minutes == 4 * mesh_runtime(plan, 0)
    assert (shard.asked.mem, shard.asked.run_minutes) == (shard_mem_mb(plan), shard_runtime(plan))
    assert {job.asked.tasks for job in outcome.cluster.jobs} == {1}
    assert outcome.cluster.most_running == 1 and outcome.cluster.most_waiting > 0


def test_killed_for_memory(outcome, multires):
    """A group that is killed for its memory is tried again with twice as much, and more time."""
    killed, done = outcome.jobs("group_pyramid_stage0")
    assert (killed.status, killed.reason, killed.asked.mem) == ("EXIT", "TERM_MEMLIMIT", 250)
    assert (done.status, done.asked.mem) == ("DONE", 500)
    assert done.asked.run_minutes == 2 * killed.asked.run_minutes
    assert "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit." in outcome.said[0]
    assert outcome.multires == digests(multires)


def test_forgotten_by_bjobs(outcome):
    """What has left bjobs is found in LSF's event log."""
    if not has_gawk():
        pytest.skip("NOT TESTED: awk is not GNU awk, which the plugin needs; apt-get install gawk")
    (forgotten,) = outcome.jobs("group_mesh_lod0")
    assert forgotten.status == "DONE" and forgotten not in outcome.cluster.known()


def test_hosts_that_die(outcome, multires):
    """Jobs that the plugin takes for done because contact was lost (UNKWN) are done again."""
    assert outcome.facts["old"] == 0, "a marker of another configuration could be taken for done"
    for name, status in (
        ("group_pyramid_stage0", "UNKWN"),
        ("group_mesh_lod0", "EXIT"),
        ("rule_shard", "UNKWN"),
    ):
        assert [job.status for job in outcome.jobs(name)] == [status, "DONE"], name
    assert outcome.cluster.unanswered > 0
    assert outcome.multires == digests(multires)


def test_lost_job_and_killed_driver(outcome, multires):
    """Snakemake waits for a lost job for ever; killed and started again it completes."""
    lost, again = outcome.jobs("group_mesh_lod0")
    assert (lost.lost, again.status) == (True, "DONE")
    assert "localrule fragments" not in outcome.said[0]
    old, new = outcome.jobs("group_mesh_lod1")
    assert old.started < new.started < old.ended
    assert outcome.multires == digests(multires)


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
