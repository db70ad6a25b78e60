"""A Slurm cluster whose one node is this machine: Debian's daemons, run in a temporary folder.

Packages: slurmctld, slurmd, slurm-client, munge. Nothing under /etc or /var is read or written, so
the cluster does not disturb the services of these packages or another cluster on the machine.
"""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scancel", "scontrol")
CPUS = 2
START_S = 300  # of patience with a daemon, on the slowest machine

# Slurm looks at memory once a second and kills a job that takes more than it asked for. Each job is
# bound to its CPU. On most clusters cgroups do this; here it is done without them. JobRequeue=0:
# Slurm itself would start the jobs of a failed node again only after two minutes. MinJobAge: a job
# that has ended must still be listed when a test looks.
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
    """What Slurm knows of a job. comment: Snakemake's name of it. memory_mb: as asked for."""

    id: str
    state: str
    comment: str
    memory_mb: int


@dataclass(frozen=True)
class Slurm:
    """A running cluster. environment: the environment of a user's processes."""

    folder: Path
    environment: dict[str, str]

    def refuse(self, program: str) -> None:
        """A program of Slurm fails until `answer`, as when the controller is away."""
        (self.folder / f"{program}.refuses").touch()

    def answer(self, program: str) -> None:
        """A program works again."""
        (self.folder / f"{program}.refuses").unlink()

    def has_refused(self, program: str) -> bool:
        """Whether a program was used while it failed."""
        return (self.folder / f"{program}.refused").exists()

    def command(self, *line: str) -> str:
        """Run one of Slurm's programs, which must succeed. Returns what it prints."""
        line = (_where(line[0]), *line[1:])  # not the one that may refuse
        done = subprocess.run(
            line, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(line)}: {done.stderr}"
        return done.stdout

    def jobs(self) -> list[Job]:
        """All jobs of this cluster, including finished ones, in the order of submission."""
        options = ("--states=all", "--sort=i", "--noheader", "--noconvert", "--format=%i|%T|%k|%m")
        lines = self.command("squeue", *options).splitlines()
        found = (line.split("|") for line in lines)
        return [Job(number, state, name, int(mb.rstrip("M"))) for number, state, name, mb in found]

    def log(self) -> str:
        """The last 2000 characters of every daemon's log."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in logs)


def missing_programs() -> list[str]:
    """Slurm's programs that are not installed on this machine."""
    return [name for name in PROGRAMS if not _where(name)]


@contextmanager
def slurm_cluster() -> Iterator[Slurm]:
    """A cluster whose node is idle. When the block is left, it ends with all its jobs.

    Raises AssertionError with the daemons' logs if a daemon does not start.
    """
    with ExitStack() as stack:
        # not in pytest's folder: every user must be able to reach munge's socket, by a short path
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
    # slurmd does not start without a cgroup plugin, and this one needs nothing
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    # Inside a job, Snakemake's plugin unsets SLURM_CONF, because other clusters use /etc/slurm
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={config} exec {_where("srun")} "$@"\n')
    srun.chmod(0o755)
    for name in ("squeue", "sbatch"):
        program = folder / "bin" / name
        program.write_text(
            f"#!/bin/sh\nif [ -e {folder}/{name}.refuses ]\n"
            f"then echo >>{folder}/{name}.refused; exit 1\nfi\n"
            f'exec {_where(name)} "$@"\n'
        )
        program.chmod(0o755)
    path = f"{srun.parent}{os.pathsep}{os.environ['PATH']}"
    return Slurm(folder, {**os.environ, "PATH": path, "SLURM_CONF": str(config)})


def _munge_options(folder: Path) -> list[str]:
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
    options = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
    return [*options, f"--log-file={folder}/munged.log"]


def _where(name: str) -> str | None:
    """The path of a program. Daemons are in /usr/sbin, which is not in every user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _free_port() -> int:
    """A free port. It stays free until a daemon takes it.

    Other programs get ports from a range of the system when they ask for any port. This one is not
    in the range.
    """
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [port for port in range(10_000, 1 << 16) if not first <= port <= last]
    while True:
        port = random.SystemRandom().choice(ports)
        with socket.socket() as server, suppress(OSError):
            server.bind(("localhost", port))
            return port


def _daemon(stack: ExitStack, cluster: Slurm, name: str, *options: str) -> None:
    """Start a daemon, which ends when `stack` is closed."""
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
