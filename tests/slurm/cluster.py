"""A Slurm cluster of one node, this machine: Debian's own daemons in a folder of their own.

Packages: slurmctld, slurmd, slurm-client, munge. Nothing under /etc or /var is read or written, so
that neither the services of these packages nor another cluster on the machine are in the way.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scancel", "scontrol")
CPUS = 2
START_S = 30

# Memory is looked at once a second, and a job killed that takes more than it asked for; each job
# is bound to its CPU. That is what cgroups do on most clusters, without any. JobRequeue: Slurm
# itself would start the jobs of a failed node again only after two minutes. MinJobAge: what ended
# is still listed when a test looks.
CONFIG = """
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
JobRequeue=0
MinJobAge=7200
KillWait=5
MpiDefault=none
NodeName=localhost CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Job:
    """What Slurm knows of a job. comment: how Snakemake calls it; memory as it was asked for."""

    id: str
    state: str
    comment: str
    memory_mb: int


@dataclass(frozen=True)
class Slurm:
    """A running cluster; `environment` is that of its users."""

    folder: Path
    environment: dict[str, str]

    def command(self, *line: str) -> str:
        """What one of Slurm's own programs prints; it must succeed."""
        done = subprocess.run(
            line, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(line)}: {done.stderr}"
        return done.stdout

    def jobs(self) -> list[Job]:
        """All jobs of this cluster, finished ones too, in the order of submission."""
        options = ("--states=all", "--sort=i", "--noheader", "--noconvert", "--format=%i|%T|%k|%m")
        lines = self.command("squeue", *options).splitlines()
        found = (line.split("|") for line in lines)
        return [Job(number, state, name, int(mb.rstrip("M"))) for number, state, name, mb in found]

    def log(self) -> str:
        """The last lines of every daemon's log."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in logs)


def missing_programs() -> list[str]:
    """Slurm's programs that are not installed on this machine."""
    return [name for name in PROGRAMS if not _where(name)]


@contextmanager
def slurm_cluster() -> Iterator[Slurm]:
    """A cluster whose node is idle, gone with all its jobs when the block is left.

    Raises AssertionError with the daemons' logs where one does not start.
    """
    with ExitStack() as stack:
        # not pytest's folder: munge wants every user to reach its socket, whose path is short
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        cluster = _configure(folder)
        munge = folder / "munge.socket"
        _daemon(stack, cluster, "munged", "--foreground", *_munge_options(folder))
        _wait(cluster, "munged to answer", munge.exists)
        _daemon(stack, cluster, "slurmctld", "-D")
        _daemon(stack, cluster, "slurmd", "-D", "-N", "localhost")
        _wait(cluster, "the node to be idle", lambda: _node_is_idle(cluster))
        stack.callback(_end_all_jobs, cluster)
        yield cluster


def _configure(folder: Path) -> Slurm:
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            user=subprocess.check_output(["id", "-un"], text=True).strip(),
            controller_port=_free_port(),
            node_port=_free_port(),
            cpus=CPUS,
            memory_mb=memory // 2**20,
        )
    )
    # Any cgroup plugin has to load where slurmd starts, and this one asks for nothing
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    # Within a job Snakemake's plugin takes SLURM_CONF away, as it lies in /etc/slurm elsewhere
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={config} exec {_where("srun")} "$@"\n')
    srun.chmod(0o755)
    path = f"{srun.parent}{os.pathsep}{os.environ['PATH']}"
    return Slurm(folder, {**os.environ, "PATH": path, "SLURM_CONF": str(config)})


def _munge_options(folder: Path) -> list[str]:
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
    options = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
    return [*options, f"--log-file={folder}/munged.log"]


def _where(name: str) -> str | None:
    """Daemons are in /usr/sbin, which is not in every user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


def _daemon(stack: ExitStack, cluster: Slurm, name: str, *options: str) -> None:
    """Start a daemon, which ends with `stack`."""
    with open(cluster.folder / f"{name}.out.log", "w") as log:
        process = subprocess.Popen(
            [_where(name), *options],
            env=cluster.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    stack.callback(_stop, process)


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _node_is_idle(cluster: Slurm) -> bool:
    done = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() == "idle"


def _end_all_jobs(cluster: Slurm) -> None:
    cluster.command("scancel", "--signal=KILL", "--full", "--user", str(os.getuid()))
    cluster.command("scancel", "--user", str(os.getuid()))
    _wait(cluster, "its jobs to end", lambda: not cluster.command("squeue", "--noheader"))


def _wait(cluster: Slurm, what: str, condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain for {what}\n{cluster.log()}"
        time.sleep(0.1)
