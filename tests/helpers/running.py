"""Runs the workflow as a user does: from a command line, in a copy of the repository."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from holding import Hold
from processes import sessions
from snakemake_server import run_snakemake
from snakemesh.clusters.submitted_jobs import read_submitted

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = ("profiles", "lsf", "slurm", "sge", "pbs", "htcondor")
FOLDERS = ("rules", "scripts", "src", "report", "config", "envs", ".test/config")
PARTS = ("Snakefile", *FOLDERS, *PROFILES)
# Compiled functions and modules that another test is writing: they get other names before long.
UNFINISHED = shutil.ignore_patterns(".*", "*.pyc.*")
PATIENCE_S = 600  # for what must happen while a run goes on, on the slowest machine
# These settings give few jobs, but still cut the test volume along two axes and into two
# super-chunks. They keep enough faces for small bodies to have every LOD.
SMALL = {"cell_size": 64, "num_lods": 3, "target_reduction": 0.5, "decimation_factor": 4}


def copy_repository(target: Path) -> Path:
    """Copy what a run needs to `target`, which must not exist. Returns `target`.

    The copy has the compiled functions too. Another process may compile more of them meanwhile.
    """
    target.mkdir(parents=True)
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=UNFINISHED, copy_function=_copy_if_there)
        else:
            shutil.copy2(source, target)
    return target


def _copy_if_there(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def command(config: dict, *arguments: str, cores: int = 2) -> list[str]:
    """The command line of a run with the changes `config` to its configuration."""
    line = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
    values = (
        f"{key}={value if isinstance(value, str | Path) else json.dumps(value)}"
        for key, value in config.items()
    )
    return [*line, "--config", *values] if config else line


def run(
    repository: Path, config: dict, *arguments: str, cores: int = 2
) -> subprocess.CompletedProcess:
    """Run the workflow to its end, whether it succeeds or fails."""
    line = command(config, *arguments, cores=cores)
    return run_snakemake(line[3:], repository)  # without `python -m snakemake`


def succeeds(repository: Path, config: dict, *arguments: str, cores: int = 2) -> str:
    """Run the workflow, which must succeed. Returns what it prints."""
    done = run(repository, config, *arguments, cores=cores)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def fails(repository: Path, config: dict, *arguments: str) -> str:
    """Run the workflow, which must fail without a traceback. Returns what it prints."""
    done = run(repository, config, *arguments)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in said, said
    return said


def finish(repository: Path, config: dict, cores: int = 2) -> Path:
    """Run the workflow, which must succeed. Returns the `multires` folder."""
    succeeds(repository, config, cores=cores)
    return Path(config["output_directory"]) / "multires"


def planned(repository: Path, config: dict, *arguments: str) -> dict[str, int]:
    """Number of jobs per rule that a run would do now, without the target `all`."""
    return jobs_in(dry_run(repository, config, *arguments))


def dry_run(repository: Path, config: dict, *arguments: str) -> str:
    """What a dry run says: the plan, and then the number of its jobs."""
    done = run(repository, config, "--dry-run", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def jobs_in(said: str) -> dict[str, int]:
    """Number of jobs per rule in what a dry run says, without the target `all`."""
    if "Nothing to be done" in said:
        return {}
    (line,) = re.findall(r"^Dry run: [\d,]+ jobs? would run \((.*)\)", said, re.MULTILINE)
    counts = {rule: int(n.replace(",", "")) for n, rule in re.findall(r"(\d[\d,]*) (\w+)", line)}
    counts.pop("all", None)
    return counts


def begin(
    repository: Path, config: dict, environment: Mapping[str, str], *arguments, cores=2, before=()
) -> subprocess.Popen[str]:
    """A run that has started; what it prints and its errors are in its stdout.

    before: a command that starts the run's. The rest as for `command`.
    """
    return subprocess.Popen(
        [*before, *command(config, *arguments, cores=cores)],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_when(
    repository: Path,
    config: dict,
    moment: Callable[[], bool],
    whole_group: bool,
    held: str | None = r"/multires/\w+\.shard$",
    free: int = 0,
) -> int:
    """Start a run and kill it as soon as `moment()` is true.

    whole_group: kill all its processes, and wait until they are gone; otherwise kill only
    Snakemake's own. SIGKILL gives them no chance to tidy up, as when a machine dies or a scheduler
    loses patience. held, free: how far the run can come until then (see Hold), or it might be over
    before it is killed. Returns the session of the run, for `sessions`.
    """
    end = time.monotonic() + PATIENCE_S
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Hold(Path(folder), held, free)
        process = subprocess.Popen(
            command(config),
            cwd=repository,
            env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}src"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while not moment():
                assert process.poll() is None, "the run ended before it could be killed"
                assert time.monotonic() < end, "the run has not come to where it is to be killed"
                time.sleep(0.02)
        finally:
            if whole_group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        while whole_group and sessions()[process.pid].pids:
            time.sleep(0.02)
    return process.pid


def is_kept(output: Path, number: object) -> bool:
    """Whether the next run will know a cluster job, which may run before its number is written."""
    known = read_submitted(str(output / "work" / "submitted.jsonl"))
    return known is not None and str(number) in known.jobs


def meshes(multires: Path) -> dict[str, str]:
    """What is served but for the document that says which input it was made from."""
    return {name: found for name, found in digests(multires).items() if name != "snakemesh.json"}


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by the path relative to the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
